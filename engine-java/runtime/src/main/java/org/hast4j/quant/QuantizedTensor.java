package org.hast4j.quant;

import org.hast4j.failure.RefusedException;

/**
 * A weight tensor as integer levels, one scale and zero point per output channel: {@code weight =
 * (level - 2^(bits-1) + zero[row]) / scale[row]} (algorithm section 2). Evaluated in float32
 * without contraction, as the kernels do, so that every bit agrees with fake quantisation.
 *
 * @param bits 2 to 8
 * @param columns elements of a row; rows are output channels
 * @param levels [rows, columns], each in [0, 2^bits)
 * @param scale [rows], s of the formula
 * @param zero [rows], z of the formula
 */
public record QuantizedTensor(int bits, int columns, int[] levels, float[] scale, float[] zero) {
  public QuantizedTensor {
    checkBits("weights", bits);
    if (scale.length != zero.length
        || columns < 1
        || levels.length != (long) scale.length * columns) {
      throw new IllegalArgumentException(
          "%d levels, %d scales and %d zero points do not make rows of %d"
              .formatted(levels.length, scale.length, zero.length, columns));
    }
    for (int level : levels) {
      if (level < 0 || level >= 1 << bits) {
        throw new IllegalArgumentException("level %d does not fit %d bits".formatted(level, bits));
      }
    }
    int half = 1 << bits - 1;
    for (int row = 0; row < scale.length; row++) {
      UniformQuantizer quantizer = new UniformQuantizer(bits, scale[row], zero[row]);
      // What is between the ends is as finite as they are.
      if (!(scale[row] > 0)
          || !Float.isFinite(scale[row])
          || !Float.isFinite(quantizer.value(-half))
          || !Float.isFinite(quantizer.value(half - 1))) {
        throw new RefusedException(
            "row %d has scale %s and zero point %s".formatted(row, scale[row], zero[row]));
      }
    }
  }

  /** Throws IllegalArgumentException unless a bit width is 2 to 8. */
  static void checkBits(String what, int bits) {
    if (bits < 2 || bits > 8) {
      throw new IllegalArgumentException("%s must have 2 to 8 bits, got %d".formatted(what, bits));
    }
  }

  /** Quantises each row of a weight tensor on its own range. */
  public static QuantizedTensor of(float[] weight, int rows, int bits) {
    int columns = weight.length / rows;
    int half = 1 << bits - 1;
    int[] levels = new int[weight.length];
    float[] scale = new float[rows];
    float[] zero = new float[rows];
    for (int row = 0; row < rows; row++) {
      float min = Float.POSITIVE_INFINITY;
      float max = Float.NEGATIVE_INFINITY;
      for (int i = row * columns; i < (row + 1) * columns; i++) {
        min = Math.min(min, weight[i]);
        max = Math.max(max, weight[i]);
      }
      UniformQuantizer quantizer = UniformQuantizer.of(min, max, bits);
      scale[row] = quantizer.scale();
      zero[row] = quantizer.zero();
      for (int i = row * columns; i < (row + 1) * columns; i++) {
        levels[i] = (int) quantizer.level(weight[i]) + half;
      }
    }
    return new QuantizedTensor(bits, columns, levels, scale, zero);
  }

  /** The weights the levels stand for. */
  public float[] dequantized() {
    float[] weight = new float[levels.length];
    int half = 1 << bits - 1;
    for (int row = 0; row < scale.length; row++) {
      UniformQuantizer quantizer = new UniformQuantizer(bits, scale[row], zero[row]);
      for (int i = row * columns; i < (row + 1) * columns; i++) {
        weight[i] = quantizer.value(levels[i] - half);
      }
    }
    return weight;
  }
}
