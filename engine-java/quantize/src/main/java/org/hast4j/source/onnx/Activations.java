package org.hast4j.source.onnx;

import java.util.Map;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Operator;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.ActivationFunction.Kind;

/** Functions of every value. */
final class Activations {
  private static final float TOLERANCE = 1e-4f;

  private final Steps steps;
  private final Features features;

  Activations(Steps steps, Features features) {
    this.steps = steps;
    this.features = features;
  }

  void register(Map<String, Translation> table) {
    kind(table, "Relu", Kind.RELU);
    kind(table, "Sigmoid", Kind.SIGMOID);
    kind(table, "HardSwish", Kind.HARD_SWISH);
    kind(table, "Mish", Kind.MISH);
    part(table, "Erf", Operand.Function.Kind.ERF);
    part(table, "Softplus", Operand.Function.Kind.SOFTPLUS);
    part(table, "Tanh", Operand.Function.Kind.TANH);
    table.put("LeakyRelu", Translation.of(this::leakyRelu));
    table.put("PRelu", Translation.of(this::prelu));
    table.put("Clip", Translation.of(Activations::clip));
    table.put("HardSigmoid", Translation.of(this::hardSigmoid));
    table.put("Gelu", Translation.of(this::gelu));
    table.put("Swish", Translation.of(this::swish));
    for (String last : new String[] {"Softmax", "LogSoftmax", "ArgMax"}) {
      table.put(last, Translation.of(Activations::last));
    }
  }

  private void kind(Map<String, Translation> table, String op, Kind kind) {
    table.put(op, Translation.of(node -> activation(node, new ActivationFunction(kind))));
  }

  private static void part(Map<String, Translation> table, String op, Operand.Function.Kind kind) {
    table.put(op, Translation.of(node -> new Operand.Function(kind, node.dynamic(0), node)));
  }

  private Operand activation(Node node, ActivationFunction function) {
    return features.activation(node, function, node.dynamic(0));
  }

  private Operand leakyRelu(Node node) {
    return activation(node, ActivationFunction.leakyRelu(node.real("alpha", .01f)));
  }

  private Operand prelu(Node node) {
    Operand.Feature input = features.of(node.dynamic(0));
    Constant slope = node.constant(1);
    long channels = input.sizes().getFirst();
    int rank = input.sizes().size();
    // Sizes meet at their end: [c, 1, 1] of an image, [c] of a vector.
    boolean each =
        slope.count() == channels
            && slope.sizes().size() >= rank
            && slope.sizes().get(slope.sizes().size() - rank) == channels;
    if (slope.count() != 1 && !each) {
      throw new RefusedException(
          "has slopes of %s for features of %s; known are one, and one a channel"
              .formatted(slope, input.sizes()));
    }
    Constant slopes = slope.count() == 1 ? slope.repeated(input.sizes().subList(0, 1)) : slope;
    Operand.Feature output =
        steps.add(
            node.name(slope),
            new Operator.PRelu(channels),
            Map.of("weight", Parameter.of(slopes, channels)),
            input);
    return new Operand.Feature(output.step(), node.dynamic(0).sizes());
  }

  /** Whether it is one by itself shows what is done with it. */
  private static Operand clip(Node node) {
    float low = bound(node, "min", 1, Float.NEGATIVE_INFINITY);
    float high = bound(node, "max", 2, Float.POSITIVE_INFINITY);
    Operand.Dynamic input = node.dynamic(0);
    boolean bounded = low > -Float.MAX_VALUE || high < Float.MAX_VALUE;
    // What has no bound may be written as the largest number.
    float ceiling = high == Float.MAX_VALUE ? Float.POSITIVE_INFINITY : high;
    return bounded
        ? new Operand.Function(Operand.Function.Kind.CLIP, low, ceiling, input, node)
        : input;
  }

  private static float bound(Node node, String name, int index, float usual) {
    return node.optionalConstant(index)
        .map(
            constant -> {
              if (constant.count() != 1) {
                throw new RefusedException(
                    "has as its %s a constant of %s, not one number".formatted(name, constant));
              }
              return constant.values().real(0);
            })
        .orElseGet(() -> node.real(name, usual));
  }

  private Operand hardSigmoid(Node node) {
    float alpha = node.real("alpha", .2f);
    float beta = node.real("beta", .5f);
    if (Math.abs(alpha - 1 / 6f) > TOLERANCE || beta != .5f) {
      throw new RefusedException(
          "is a hard sigmoid of slope %s and offset %s; known is 1/6 and 0.5, PyTorch's"
              .formatted(alpha, beta));
    }
    return activation(node, new ActivationFunction(Kind.HARD_SIGMOID));
  }

  private Operand gelu(Node node) {
    String approximate = node.text("approximate", "none");
    if (!approximate.equals("none")) {
      throw new RefusedException(
          "approximates GELU by %s; known is the exact one, of the error function"
              .formatted(Names.quoted(approximate)));
    }
    return activation(node, new ActivationFunction(Kind.GELU));
  }

  private Operand swish(Node node) {
    float alpha = node.real("alpha", 1);
    if (alpha != 1) {
      throw new RefusedException("is a Swish of alpha %s; known is 1, SiLU".formatted(alpha));
    }
    return activation(node, new ActivationFunction(Kind.SILU));
  }

  private static Operand last(Node node) {
    return new Operand.Final(node.dynamic(0), node);
  }
}
