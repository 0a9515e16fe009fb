package org.hast4j.model;

import java.util.Arrays;
import java.util.Objects;
import org.hast4j.failure.RefusedException;

/**
 * How a network wants its input: {@code (v / 255 - mean[c]) / std[c]} for a byte {@code v} of
 * channel {@code c}. Immutable.
 *
 * @param mean per channel, in units of v / 255: 0 to 1
 * @param std per channel, in units of v / 255, above 0 and at most 1
 */
public record Normalization(float[] mean, float[] std) {
  /** The channel statistics of the CIFAR-10 training images. */
  public static final Normalization CIFAR10 =
      new Normalization(new float[] {.491f, .482f, .447f}, new float[] {.247f, .243f, .262f});

  /** The channel statistics of ImageNet, which many CIFAR networks are trained with too. */
  public static final Normalization IMAGENET =
      new Normalization(new float[] {.485f, .456f, .406f}, new float[] {.229f, .224f, .225f});

  /**
   * @throws RefusedException if the lengths differ or are 0, or a value is out of its bounds
   */
  public Normalization {
    mean = mean.clone();
    std = std.clone();
    if (mean.length == 0 || mean.length != std.length) {
      throw new RefusedException(
          "a normalization needs a mean and a standard deviation for every channel, got "
              + mean.length
              + " and "
              + std.length);
    }
    for (int c = 0; c < mean.length; c++) {
      if (!(mean[c] >= 0 && mean[c] <= 1 && std[c] > 0 && std[c] <= 1)) {
        throw new RefusedException(
            "channel %d has mean %s and standard deviation %s; in units of v / 255 a mean is 0 to 1, a deviation above 0 and at most 1"
                .formatted(c, mean[c], std[c]));
      }
    }
  }

  @Override
  public float[] mean() {
    return mean.clone();
  }

  @Override
  public float[] std() {
    return std.clone();
  }

  public int channels() {
    return mean.length;
  }

  /** The normalized value of every possible byte: {@code [channel][v]}. */
  public float[][] table() {
    float[][] table = new float[mean.length][256];
    for (int c = 0; c < mean.length; c++) {
      for (int v = 0; v < 256; v++) {
        table[c][v] = (v / 255f - mean[c]) / std[c];
      }
    }
    return table;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Normalization that
        && Arrays.equals(mean, that.mean)
        && Arrays.equals(std, that.std);
  }

  @Override
  public int hashCode() {
    return Objects.hash(Arrays.hashCode(mean), Arrays.hashCode(std));
  }

  @Override
  public String toString() {
    return "mean " + Arrays.toString(mean) + ", std " + Arrays.toString(std);
  }
}
