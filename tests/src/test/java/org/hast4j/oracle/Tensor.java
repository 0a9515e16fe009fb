package org.hast4j.oracle;

import java.util.function.DoubleSupplier;
import org.hast4j.graph.TensorType;
import org.hast4j.tensor.DType;

/**
 * A tensor on the host in double precision. Integer types hold integers; an int64 must fit 53 bits.
 *
 * @param values row-major, innermost dimension last; shared, not copied
 */
public record Tensor(TensorType type, double[] values) {
  public Tensor {
    if (values.length != type.shape().elements()) {
      throw new IllegalArgumentException(values.length + " values for " + type);
    }
  }

  public static Tensor of(TensorType type, double... values) {
    return new Tensor(type, values);
  }

  public static Tensor zeros(TensorType type) {
    return new Tensor(type, new double[Math.toIntExact(type.shape().elements())]);
  }

  /** Elements from a generator, rounded to what the type holds. */
  public static Tensor fill(TensorType type, DoubleSupplier generator) {
    Tensor tensor = zeros(type);
    for (int i = 0; i < tensor.values.length; i++) {
      double value = generator.getAsDouble();
      tensor.values[i] = type.dtype() == DType.F32 ? (float) value : value;
    }
    return tensor;
  }

  /** A float tensor with the values of an array. */
  public static Tensor floats(float[] values, long... sizes) {
    Tensor tensor = zeros(TensorType.f32(sizes));
    for (int i = 0; i < values.length; i++) {
      tensor.values[i] = values[i];
    }
    return tensor;
  }

  /** The same values, rounded to single precision. */
  public float[] floats() {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) values[i];
    }
    return floats;
  }

  public Tensor copy() {
    return new Tensor(type, values.clone());
  }

  /** Size of one dimension; negative indices count from the innermost. */
  public int size(int dimension) {
    return Math.toIntExact(type.shape().size(dimension));
  }

  public int count() {
    return values.length;
  }
}
