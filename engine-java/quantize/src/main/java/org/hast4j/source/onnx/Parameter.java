package org.hast4j.source.onnx;

import java.util.function.UnaryOperator;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.StoredTensor;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/** A tensor of the model: one of the graph's, or what it comes to with constants folded in. */
record Parameter(String name, Shape shape, Constant source, UnaryOperator<float[]> folded)
    implements StoredTensor {

  /** A constant by a shape of as many values. */
  static Parameter of(Constant source, long... sizes) {
    if (source.isWhole()) {
      throw new RefusedException(
          "tensor %s has type %s: weights are floating-point numbers"
              .formatted(Names.quoted(source.name()), source.type()));
    }
    return new Parameter(source.name(), Shape.of(sizes), source, UnaryOperator.identity());
  }

  /** With its values changed when they are read; it may change them in place. */
  Parameter then(UnaryOperator<float[]> change) {
    return new Parameter(name, shape, source, values -> change.apply(folded.apply(values)));
  }

  @Override
  public DType dtype() {
    return source.type();
  }

  @Override
  public float[] floats() {
    return folded.apply(source.values().reals(Math.toIntExact(shape.elements())));
  }
}
