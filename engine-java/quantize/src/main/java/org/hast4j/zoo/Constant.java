package org.hast4j.zoo;

import java.util.Arrays;
import org.hast4j.io.StoredTensor;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/** A tensor that a file leaves out because all its values are the same. */
record Constant(String name, Shape shape, float value) implements StoredTensor {
  @Override
  public DType dtype() {
    return DType.F32;
  }

  @Override
  public float[] floats() {
    float[] values = new float[Math.toIntExact(shape.elements())];
    Arrays.fill(values, value);
    return values;
  }
}
