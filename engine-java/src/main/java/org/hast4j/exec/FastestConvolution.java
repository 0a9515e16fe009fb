package org.hast4j.exec;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionMethod;
import org.hast4j.kernel.ConvolutionShape;

/** Chooses among the methods for a convolution by times, which it measures where none are known. */
final class FastestConvolution {
  private final ConvolutionTimes times;
  private final ConvolutionTrial.Opener trials;

  FastestConvolution(ConvolutionTimes times, ConvolutionTrial.Opener trials) {
    this.times = times;
    this.trials = trials;
  }

  /**
   * The fastest method. It has run at least once when this returns, so that whatever it loads when
   * first used is there before it is captured.
   *
   * @param methods at least one
   * @throws IllegalStateException if every method fails; why is suppressed in it
   */
  ConvolutionMethod choose(
      ConvolutionShape shape, ConvolutionDirection direction, List<ConvolutionMethod> methods) {
    String convolution = direction + " " + shape;
    List<RuntimeException> failures = new ArrayList<>();
    try (ConvolutionTrial trial = trials.open(shape, direction, methods)) {
      Map<String, Double> known = times.of(convolution);
      if (methods.stream().map(ConvolutionMethod::name).allMatch(known::containsKey)) {
        ConvolutionMethod best = fastest(methods, known);
        if (Double.isFinite(measure(trial, best, failures))) {
          return best;
        }
      }
      Map<String, Double> measured = new LinkedHashMap<>(known);
      methods.forEach(method -> measured.put(method.name(), measure(trial, method, failures)));
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

  /** Infinite for a method that fails. */
  private static double measure(
      ConvolutionTrial trial, ConvolutionMethod method, List<RuntimeException> failures) {
    try {
      return trial.milliseconds(method);
    } catch (RuntimeException e) {
      failures.add(e);
      return Double.POSITIVE_INFINITY;
    }
  }
}
