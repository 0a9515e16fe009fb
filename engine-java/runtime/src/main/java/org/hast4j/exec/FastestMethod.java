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
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.Product;
import org.hast4j.kernel.ProductMethod;
import org.hast4j.vendor.VendorException;

/** Chooses among the methods for a product by times, which it measures where none are known. */
final class FastestMethod {
  private final MethodTimes times;
  private final ProductTrial.Opener trials;
  private final Consumer<String> report;

  /**
   * A choice by times.
   *
   * @param report takes messages for people
   */
  FastestMethod(MethodTimes times, ProductTrial.Opener trials, Consumer<String> report) {
    this.times = times;
    this.trials = trials;
    this.report = report;
  }

  /**
   * The fastest method. It has run at least once when this returns, so that whatever it loads when
   * first used is there before it is captured.
   *
   * @param methods at least one
   * @throws IllegalStateException if every method fails; why is suppressed in it; an {@link
   *     UnavailableException} where all of them lack something
   * @throws DeviceMemoryException if the memory suffices for none
   * @throws KernelException if a method costs the process the device
   */
  ProductMethod choose(Product product, List<ProductMethod> methods) {
    Map<String, Double> known = times.of(product.toString());
    if (methods.stream().map(ProductMethod::name).allMatch(known::containsKey)) {
      ProductMethod best = fastest(methods, known);
      if (runs(product, best)) {
        return best;
      }
    }
    Map<String, Double> measured = new HashMap<>();
    Map<String, RuntimeException> failures = new LinkedHashMap<>();
    measure(product, methods, measured, failures);
    Map<String, Double> kept = new LinkedHashMap<>(known);
    for (ProductMethod method : methods) {
      String name = method.name();
      if (failures.containsKey(name) && !isRefusal(failures.get(name))) {
        kept.remove(name);
      } else {
        kept.put(name, measured.get(name));
      }
    }
    times.put(product.toString(), kept);
    ProductMethod best = fastest(methods, measured);
    if (failures.containsKey(best.name())) {
      String message =
          "nothing computes the %s among %s: %s"
              .formatted(
                  product,
                  methods.stream().map(ProductMethod::name).toList(),
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
  private static ProductMethod fastest(
      List<ProductMethod> methods, Map<String, Double> milliseconds) {
    ProductMethod best = methods.getFirst();
    for (ProductMethod method : methods) {
      if (milliseconds.get(method.name()) < milliseconds.get(best.name())) {
        best = method;
      }
    }
    return best;
  }

  /** Whether a method that once ran still does; the measurement that follows says why not. */
  private boolean runs(Product product, ProductMethod method) {
    try (ProductTrial trial = trials.open(product, List.of(method))) {
      trial.run(method);
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
      List<ProductMethod> methods,
      Map<String, Double> measured,
      Map<String, RuntimeException> failures) {
    try (ProductTrial trial = trials.open(product, methods)) {
      for (ProductMethod method : methods) {
        measured.put(method.name(), measure(trial, method, product, failures));
      }
    } catch (DeviceMemoryException e) {
      long largest = methods.stream().mapToLong(ProductMethod::workspaceBytes).max().orElseThrow();
      List<ProductMethod> smaller = new ArrayList<>();
      for (ProductMethod method : methods) {
        if (method.workspaceBytes() < largest) {
          smaller.add(method);
        } else {
          measured.put(method.name(), Double.POSITIVE_INFINITY);
          failures.put(method.name(), e);
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
      ProductMethod method,
      Product product,
      Map<String, RuntimeException> failures) {
    try {
      return trial.milliseconds(method);
    } catch (RuntimeException e) {
      passOver(e);
      failures.put(method.name(), e);
      // Other libraries may well refuse a shape, but own kernels are for every one.
      if (e instanceof KernelException) {
        report.accept(
            "the %s is computed without the method %s, which fails: %s"
                .formatted(product, method.name(), e.getMessage()));
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
