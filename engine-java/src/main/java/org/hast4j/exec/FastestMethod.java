package org.hast4j.exec;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.Product;
import org.hast4j.kernel.ProductMethod;

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
   * @throws IllegalStateException if every method fails; why is suppressed in it
   * @throws KernelException if a method costs the process the device
   */
  ProductMethod choose(Product product, List<ProductMethod> methods) {
    try (ProductTrial trial = trials.open(product, methods)) {
      Map<String, Double> known = times.of(product.toString());
      if (methods.stream().map(ProductMethod::name).allMatch(known::containsKey)) {
        ProductMethod best = fastest(methods, known);
        if (runs(trial, best)) {
          return best;
        }
      }
      List<RuntimeException> failures = new ArrayList<>();
      Map<String, Double> measured = new LinkedHashMap<>(known);
      for (ProductMethod method : methods) {
        measured.put(method.name(), measure(trial, method, product, failures));
      }
      times.put(product.toString(), measured);
      ProductMethod best = fastest(methods, measured);
      if (Double.isInfinite(measured.get(best.name()))) {
        IllegalStateException failure =
            new IllegalStateException(
                "nothing computes the %s among %s: %s"
                    .formatted(
                        product,
                        methods.stream().map(ProductMethod::name).toList(),
                        failures.getFirst().getMessage()));
        failures.forEach(failure::addSuppressed);
        throw failure;
      }
      return best;
    }
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
  private static boolean runs(ProductTrial trial, ProductMethod method) {
    try {
      trial.run(method);
      return true;
    } catch (RuntimeException e) {
      passOver(e);
      return false;
    }
  }

  /** Infinite for a method that fails. */
  private double measure(
      ProductTrial trial, ProductMethod method, Product product, List<RuntimeException> failures) {
    try {
      return trial.milliseconds(method);
    } catch (RuntimeException e) {
      passOver(e);
      failures.add(e);
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
