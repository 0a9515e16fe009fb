package org.hast4j.exec;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionMethod;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.KernelException;

/** Chooses among the methods for a convolution by times, which it measures where none are known. */
final class FastestConvolution {
  private final ConvolutionTimes times;
  private final ConvolutionTrial.Opener trials;
  private final Consumer<String> report;

  /**
   * A choice by times.
   *
   * @param report takes messages for people
   */
  FastestConvolution(
      ConvolutionTimes times, ConvolutionTrial.Opener trials, Consumer<String> report) {
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
  ConvolutionMethod choose(
      ConvolutionShape shape, ConvolutionDirection direction, List<ConvolutionMethod> methods) {
    String convolution = direction + " " + shape;
    try (ConvolutionTrial trial = trials.open(shape, direction, methods)) {
      Map<String, Double> known = times.of(convolution);
      if (methods.stream().map(ConvolutionMethod::name).allMatch(known::containsKey)) {
        ConvolutionMethod best = fastest(methods, known);
        if (runs(trial, best)) {
          return best;
        }
      }
      List<RuntimeException> failures = new ArrayList<>();
      Map<String, Double> measured = new LinkedHashMap<>(known);
      for (ConvolutionMethod method : methods) {
        measured.put(method.name(), measure(trial, method, convolution, failures));
      }
      times.put(convolution, measured);
      ConvolutionMethod best = fastest(methods, measured);
      if (Double.isInfinite(measured.get(best.name()))) {
        IllegalStateException failure =
            new IllegalStateException(
                "nothing computes the convolution %s among %s: %s"
                    .formatted(
                        convolution,
                        methods.stream().map(ConvolutionMethod::name).toList(),
                        failures.getFirst().getMessage()));
        failures.forEach(failure::addSuppressed);
        throw failure;
      }
      return best;
    }
  }

  /** The first of the fastest. */
  private static ConvolutionMethod fastest(
      List<ConvolutionMethod> methods, Map<String, Double> milliseconds) {
    ConvolutionMethod best = methods.getFirst();
    for (ConvolutionMethod method : methods) {
      if (milliseconds.get(method.name()) < milliseconds.get(best.name())) {
        best = method;
      }
    }
    return best;
  }

  /** Whether a method that once ran still does; the measurement that follows says why not. */
  private static boolean runs(ConvolutionTrial trial, ConvolutionMethod method) {
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
      ConvolutionTrial trial,
      ConvolutionMethod method,
      String convolution,
      List<RuntimeException> failures) {
    try {
      return trial.milliseconds(method);
    } catch (RuntimeException e) {
      passOver(e);
      failures.add(e);
      // Other libraries may well refuse a shape, but own kernels are for every one.
      if (e instanceof KernelException) {
        report.accept(
            "the convolution %s is computed without the method %s, which fails: %s"
                .formatted(convolution, method.name(), e.getMessage()));
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
