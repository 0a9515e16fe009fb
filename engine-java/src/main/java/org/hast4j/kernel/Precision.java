package org.hast4j.kernel;

/**
 * What convolutions and matrix products may do with their factors; sums are in single precision
 * either way. The CPU always computes in single precision.
 */
public enum Precision {
  /** Factors as they are. */
  FP32(0),
  /** Factors rounded to 10 bits of mantissa, for tensor cores. */
  TF32(1);

  private final int code;

  Precision(int code) {
    this.code = code;
  }

  /** HAST_MATH_* of the C ABI. */
  public int code() {
    return code;
  }
}
