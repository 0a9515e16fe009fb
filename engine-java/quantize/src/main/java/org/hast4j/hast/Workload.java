package org.hast4j.hast;

import java.util.Locale;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;

/**
 * What a job takes, counted from its structure and recipe alone; {@link Expectation} tries it, and
 * is closer.
 *
 * @param operations multiplications and additions of convolutions and linear layers
 * @param bytes of device memory, about
 */
public record Workload(double operations, double bytes) {
  /** One pass, of an image or of gradients, is one; synthesis has a forward and a backward pass. */
  private static final int SYNTHESIS_PASSES = 2;

  /** Forward passes, those of gradients of features, and of weights: algorithm section 5. */
  private static final int FINE_TUNING_PASSES = 4 + 3 + 2;

  /** Teacher and student, gradient and momentum. */
  private static final int COPIES = 4;

  /** A core of a current server processor, in operations a second: measured, and rough. */
  private static final double CORE = 40e9;

  /** Counts a job's. */
  public static Workload of(Job job) {
    Model model = job.teacher().model();
    Recipe.Synthesis synthesis = job.recipe().synthesis();
    Recipe.FineTuning fineTuning = job.recipe().fineTuning();
    boolean made = job.images() instanceof Images.Synthesized;
    double images = made ? (double) synthesis.images() * synthesis.iterations() : 0;
    double samples = (double) fineTuning.steps() * fineTuning.batch();
    double passes = SYNTHESIS_PASSES * images + FINE_TUNING_PASSES * samples;
    double features = model.input().size();
    for (Layer layer : model.layers()) {
      features += model.shape(layer.name()).elements();
    }
    // Fine-tuning keeps the features of two student passes, synthesis those of one.
    double kept =
        Math.max(made ? features * synthesis.batch() : 0, 2 * features * fineTuning.batch());
    double values =
        kept
            + COPIES * (double) job.teacher().parameterCount()
            + (double) synthesis.images() * model.input().size();
    return new Workload(2.0 * model.multiplyAdds() * passes, values * Float.BYTES);
  }

  /** In words: time on one core, and memory. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%.3g operations, %.1f core hours at %.0f billion a second; %.0f MiB of memory",
        operations,
        operations / CORE / 3600,
        CORE / 1e9,
        bytes / (1 << 20));
  }
}
