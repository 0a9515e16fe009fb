package org.hast4j.source.torch;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.StoredTensor;
import org.hast4j.io.bytes.LittleEndian;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/** A tensor of PyTorch, whose values may lie in any order, as those of a transposed one do. */
final class StridedTensor implements StoredTensor {

  private final Path file;
  private final String name;
  private final DType dtype;
  private final Shape shape;
  private final long[] strides;
  private final MemorySegment data;

  /**
   * @param strides in elements, one for each dimension of the shape
   * @param data from the first value on, at least all of the tensor's
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
    if (!dtype.isReal()) {
      throw new CorruptFileException(
          file, "tensor \"" + name + "\" is " + dtype + "; floats() reads F32, F16, BF16 and F64");
    }
    if (shape.elements() > Integer.MAX_VALUE - 8) {
      throw new CorruptFileException(
          file, "tensor \"" + name + "\" has too many values for one array: " + shape);
    }
    int count = (int) shape.elements();
    if (isContiguous()) {
      return LittleEndian.reals(data, dtype, 0, count);
    }
    float[] values = new float[count];
    long[] index = new long[shape.rank()];
    long at = 0;
    for (int i = 0; i < values.length; i++) {
      values[i] = LittleEndian.real(data, dtype, at);
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

  private boolean isContiguous() {
    long expected = 1;
    for (int d = strides.length - 1; d >= 0; d--) {
      if (shape.size(d) != 1 && strides[d] != expected) {
        return false;
      }
      expected *= shape.size(d);
    }
    return true;
  }

  @Override
  public String toString() {
    return name + " " + dtype + shape;
  }
}
