package org.hast4j.tensor;

/** Element types of tensors in memory and in files. */
public enum DType {
  F64(8),
  F32(4),
  F16(2),
  BF16(2),
  I64(8),
  I32(4),
  I8(1),
  U8(1);

  private final int bytes;

  DType(int bytes) {
    this.bytes = bytes;
  }

  /** Whether values of a network may have it: float32, or half of that. */
  public boolean isFloating() {
    return this == F32 || this == F16 || this == BF16;
  }

  /** Whether values have a fraction: float32, half of that, or twice as much. */
  public boolean isReal() {
    return this == F64 || isFloating();
  }

  /** Bytes of one element. */
  public int bytes() {
    return bytes;
  }
}
