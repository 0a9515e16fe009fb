package org.hast4j.quant;

/**
 * Levels of a bit width on a range, as quantize.h of the C ABI has them: a value's level is
 * clamp(rint(scale x - zero), -2^(bits - 1), 2^(bits - 1) - 1), and stands for (level + zero) /
 * scale.
 */
public record UniformQuantizer(int bits, float scale, float zero) {
  private static final float SMALLEST_RANGE = 1e-8f;

  /** On a range from {@code min} to {@code max}. */
  public static UniformQuantizer of(float min, float max, int bits) {
    float scale = ((1 << bits) - 1) / Math.max(max - min, SMALLEST_RANGE);
    return new UniformQuantizer(bits, scale, rint(scale * min) + (1 << bits - 1));
  }

  /** The level of a value, a whole number. */
  public float level(float value) {
    float half = 1 << bits - 1;
    return Math.clamp(rint(scale * value - zero), -half, half - 1);
  }

  /** What a level stands for. */
  public float value(float level) {
    return (level + zero) / scale;
  }

  private static float rint(float value) {
    return (float) Math.rint(value);
  }
}
