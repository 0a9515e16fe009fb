package org.hast4j.source.torch;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.StoredTensor;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/** A tensor whose values do not lie one after the other, such as a transposed one. */
final class StridedTensor implements StoredTensor {
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLE =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;
  private final String name;
  private final DType dtype;
  private final Shape shape;
  private final long[] strides;
  private final MemorySegment data;

  /**
   * @param strides in elements, one for each dimension of the shape
   * @param data from the first value on, all of them
   */
  StridedTensor(
      Path file, String name, DType dtype, Shape shape, long[] strides, MemorySegment data) {
    this.file = file;
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
    this.strides = strides;
    this.data = data;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public DType dtype() {
    return dtype;
  }

  @Override
  public Shape shape() {
    return shape;
  }

  @Override
  public float[] floats() {
    if (dtype != DType.F64 && !dtype.isFloating()) {
      throw new CorruptFileException(
          file, "tensor \"" + name + "\" is " + dtype + "; floats() reads F32, F16, BF16 and F64");
    }
    if (shape.elements() > Integer.MAX_VALUE - 8) {
      throw new CorruptFileException(
          file, "tensor \"" + name + "\" has too many values for one array: " + shape);
    }
    float[] values = new float[(int) shape.elements()];
    long[] index = new long[shape.rank()];
    long at = 0;
    for (int i = 0; i < values.length; i++) {
      values[i] = value(at);
      // The next index is counted up from the innermost dimension, as row-major order has it.
      for (int d = index.length - 1; d >= 0; d--) {
        at += strides[d];
        if (++index[d] < shape.size(d)) {
          break;
        }
        at -= strides[d] * index[d];
        index[d] = 0;
      }
    }
    return values;
  }

  private float value(long element) {
    return switch (dtype) {
      case F32 -> data.getAtIndex(FLOAT, element);
      case F64 -> (float) data.getAtIndex(DOUBLE, element);
      case F16 -> Float.float16ToFloat(data.getAtIndex(SHORT, element));
      case BF16 -> Float.intBitsToFloat(data.getAtIndex(SHORT, element) << 16);
      case I64, I32, I8, U8 -> throw new AssertionError(dtype);
    };
  }

  @Override
  public String toString() {
    return name + " " + dtype + shape;
  }
}
