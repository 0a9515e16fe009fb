package org.hast4j.kernel;

import org.hast4j.kernel.abi.Abi;

/**
 * What convolutions on a GPU, depthwise ones excepted, may do with their factors. Sums and
 * everything else are in single precision either way.
 */
public enum Precision {
  /** Factors as they are. */
  FP32(Abi.MATH_FP32),
  /** Factors rounded to 10 bits of mantissa, for tensor cores. */
  TF32(Abi.MATH_TF32);

  private final int code;

  Precision(int code) {
    this.code = code;
  }

  /** HAST_MATH_* of the C ABI. */
  public int code() {
    return code;
  }
}
