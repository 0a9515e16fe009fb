package org.hast4j.zoo;

/** How convolutions and pools pad images. */
enum PaddingStyle {
  /** By as much at all sides, as PyTorch does. */
  SYMMETRIC,
  /**
   * TensorFlow's "same": as much as gives ceil(size / stride) windows, the odd pixel below and
   * right.
   */
  SAME
}
