package org.hast4j.graph;

import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/** Element type and shape of a value. */
public record TensorType(DType dtype, Shape shape) {
  public static TensorType f32(long... sizes) {
    return new TensorType(DType.F32, Shape.of(sizes));
  }

  public static TensorType i32(long... sizes) {
    return new TensorType(DType.I32, Shape.of(sizes));
  }

  public static TensorType i64(long... sizes) {
    return new TensorType(DType.I64, Shape.of(sizes));
  }

  /** Another shape of the same elements. */
  TensorType of(long... sizes) {
    return new TensorType(dtype, Shape.of(sizes));
  }

  public long bytes() {
    return shape.elements() * dtype.bytes();
  }

  @Override
  public String toString() {
    return dtype + shape.toString();
  }
}
