package org.hast4j.exec;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.hast4j.device.DeviceMemoryException;
import org.hast4j.failure.Mendable;
import org.hast4j.failure.UnavailableException;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.Product;
import org.hast4j.vendor.VendorException;

/** Chooses among the methods for a product by times, which it measures where none are known. */
final class FastestAlgorithm {
  private final AlgorithmTimes times;
  private final ProductTrial.Opener trials;
  private final Consumer<String> report;

  /**
   * A choice by times.
   *
   * @param report takes messages for people
   */
  FastestAlgorithm(AlgorithmTimes times, ProductTrial.Opener trials, Consumer<String> report) {
    this.times = times;
    this.trials = trials;
    this.report = report;
  }

  /**
   * The fastest method. It has run at least once when this returns, so that whatever it loads when
   * first used is there before it is captured.
   *
   * @param algorithms at least one
   * @throws IllegalStateException if every method fails; why is suppressed in it; an {@link
   *     UnavailableException} where all of them lack something
   * @throws DeviceMemoryException if the memory suffices for none
   * @throws KernelException if a method costs the process the device
   */
  Algorithm choose(Product product, List<Algorithm> algorithms) {
    Map<String, Double> known = times.of(product.toString());
    if (algorithms.stream().map(Algorithm::name).allMatch(known::containsKey)) {
      Algorithm best = fastest(algorithms, known);
      if (runs(product, best)) {
        return best;
      }
    }
    Map<String, Double> measured = new HashMap<>();
    Map<String, RuntimeException> failures = new LinkedHashMap<>();
    measure(product, algorithms, measured, failures);
    Map<String, Double> kept = new LinkedHashMap<>(known);
    for (Algorithm algorithm : algorithms) {
      String name = algorithm.name();
      if (failures.containsKey(name) && !isRefusal(failures.get(name))) {
        kept.remove(name);
      } else {
        kept.put(name, measured.get(name));
      }
    }
    times.put(product.toString(), kept);
    Algorithm best = fastest(algorithms, measured);
    if (failures.containsKey(best.name())) {
      String message =
          "nothing computes the %s among %s: %s"
              .formatted(
                  product,
                  algorithms.stream().map(Algorithm::name).toList(),
                  failures.values().iterator().next().getMessage());
      RuntimeException failure =
          failures.values().stream().allMatch(Mendable::is)
              ? new UnavailableException(message)
              : new IllegalStateException(message);
      failures.values().stream().distinct().forEach(failure::addSuppressed);
      throw failure;
    }
    return best;
  }

  /** Whether a method will fail in every run. Any other failure is this one's. */
  private static boolean isRefusal(RuntimeException failure) {
    return failure instanceof VendorException vendor && vendor.isRefusal()
        || failure instanceof KernelException kernel && kernel.isRefusal();
  }

  /** The first of the fastest. */
  private static Algorithm fastest(List<Algorithm> algorithms, Map<String, Double> milliseconds) {
    Algorithm best = algorithms.getFirst();
    for (Algorithm algorithm : algorithms) {
      if (milliseconds.get(algorithm.name()) < milliseconds.get(best.name())) {
        best = algorithm;
      }
    }
    return best;
  }

  /** Whether a method that once ran still does; the measurement that follows says why not. */
  private boolean runs(Product product, Algorithm algorithm) {
    try (ProductTrial trial = trials.open(product, List.of(algorithm))) {
      trial.run(algorithm);
      return true;
    } catch (RuntimeException e) {
      passOver(e);
      return false;
    }
  }

  /**
   * Measures methods, without those of the largest workspace while the memory does not suffice.
   *
   * @param measured gets the milliseconds of each, infinite for one that fails
   * @param failures gets why it does
   * @throws DeviceMemoryException if there is no room for any
   */
  private void measure(
      Product product,
      List<Algorithm> algorithms,
      Map<String, Double> measured,
      Map<String, RuntimeException> failures) {
    try (ProductTrial trial = trials.open(product, algorithms)) {
      for (Algorithm algorithm : algorithms) {
        measured.put(algorithm.name(), measure(trial, algorithm, product, failures));
      }
    } catch (DeviceMemoryException e) {
      long largest = algorithms.stream().mapToLong(Algorithm::workspaceBytes).max().orElseThrow();
      List<Algorithm> smaller = new ArrayList<>();
      for (Algorithm algorithm : algorithms) {
        if (algorithm.workspaceBytes() < largest) {
          smaller.add(algorithm);
        } else {
          measured.put(algorithm.name(), Double.POSITIVE_INFINITY);
          failures.put(algorithm.name(), e);
        }
      }
      if (smaller.isEmpty()) {
        throw e;
      }
      measure(product, smaller, measured, failures);
    }
  }

  /** Infinite for a method that fails. */
  private double measure(
      ProductTrial trial,
      Algorithm algorithm,
      Product product,
      Map<String, RuntimeException> failures) {
    try {
      return trial.milliseconds(algorithm);
    } catch (RuntimeException e) {
      passOver(e);
      failures.put(algorithm.name(), e);
      // Other libraries may well refuse a shape, but own kernels are for every one.
      if (e instanceof KernelException) {
        report.accept(
            "the %s is computed without the method %s, which fails: %s"
                .formatted(product, algorithm.name(), e.getMessage()));
      }
      return Double.POSITIVE_INFINITY;
    }
  }

  private static void passOver(RuntimeException failure) {
    if (failure instanceof KernelException e && e.isFatal()) {
      throw e;
    }
  }
}
