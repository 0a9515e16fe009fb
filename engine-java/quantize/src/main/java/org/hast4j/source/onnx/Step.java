package org.hast4j.source.onnx;

import java.util.List;
import java.util.Map;
import org.hast4j.model.Operator;
import org.hast4j.tensor.Shape;

/**
 * A layer that has no final name yet. Two are the same only if they are one object.
 *
 * <p>The input has no operator.
 */
final class Step {
  private final String name;
  private final Operator op;
  private final List<Step> inputs;
  private final Map<String, Parameter> parameters;
  private final Shape shape;

  /**
   * @param op null of the input
   * @param shape of the output as the model has it, [h, w, c] or [features]
   */
  Step(
      String name, Operator op, List<Step> inputs, Map<String, Parameter> parameters, Shape shape) {
    this.name = name;
    this.op = op;
    this.inputs = List.copyOf(inputs);
    this.parameters = Map.copyOf(parameters);
    this.shape = shape;
  }

  /** What it would be called if nothing else were. */
  String name() {
    return name;
  }

  Operator op() {
    return op;
  }

  boolean isInput() {
    return op == null;
  }

  List<Step> inputs() {
    return inputs;
  }

  /** By the last part of their name: weight, bias, .. */
  Map<String, Parameter> parameters() {
    return parameters;
  }

  Shape shape() {
    return shape;
  }

  /** Its sizes in ONNX's order. */
  List<Long> sizes() {
    return shape.rank() == 3
        ? List.of(shape.size(2), shape.size(0), shape.size(1))
        : List.of(shape.size(0));
  }
}
