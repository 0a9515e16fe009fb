package org.hast4j.source.onnx;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Operator;
import org.hast4j.model.Window;

/** Layers with weights. */
final class Convolutions {
  private final Steps steps;
  private final Features features;
  private final List<String> notes;

  Convolutions(Steps steps, Features features, List<String> notes) {
    this.steps = steps;
    this.features = features;
    this.notes = notes;
  }

  void register(Map<String, Translation> table) {
    table.put("Conv", Translation.of(this::conv));
    table.put("Gemm", Translation.of(this::gemm));
    table.put("MatMul", Translation.of(this::matMul));
    table.put("BatchNormalization", Translation.of(this::batchNorm));
  }

  private Operand conv(Node node) {
    Constant weight = node.constant(1);
    List<Long> sizes = weight.sizes();
    if (sizes.size() != 4) {
      throw new RefusedException(
          "is a convolution of %d dimensions (weights %s); known are images, of 2"
              .formatted(sizes.size() - 2, weight));
    }
    long outputs = sizes.get(0);
    int groups = Math.toIntExact(node.whole("group", 1));
    long inputs = Math.multiplyExact(sizes.get(1), (long) groups);
    Operand.Dynamic value = node.dynamic(0);
    Optional<Operand.Padded> padded = Windows.padded(value);
    if (padded.isPresent() && padded.get().value() != 0) {
      throw new RefusedException(
          "reads features padded with %s; known is 0".formatted(padded.get().value()));
    }
    Operand.Feature input =
        features.of(
            padded.map(Operand.Padded::source).map(Operand.Dynamic.class::cast).orElse(value));
    Window.Size kernel = Windows.size(sizes.get(2), sizes.get(3));
    boolean vector = input.step().shape().rank() == 1;
    Windows windows = new Windows(node, kernel, vector ? List.of(inputs, 1L, 1L) : value.sizes());
    Map<String, Parameter> tensors = new HashMap<>();
    Optional<Constant> bias = node.optionalConstant(2);
    bias.ifPresent(b -> tensors.put("bias", oneEach(b, outputs)));
    if (vector) {
      // A convolution of pooled features is a linear layer.
      if (groups != 1 || kernel.height() != 1 || kernel.width() != 1 || !windows.isUnpadded()) {
        throw new RefusedException(
            "is a convolution of a single pixel with groups, padding or a window of %s; known is 1x1"
                .formatted(kernel));
      }
      tensors.put("weight", Parameter.of(weight, outputs, inputs));
      return pixel(
          steps.add(
              node.name(weight),
              new Operator.Linear(inputs, outputs, bias.isPresent()),
              tensors,
              input));
    }
    tensors.put("weight", Parameter.of(weight, outputs, sizes.get(1), sizes.get(2), sizes.get(3)));
    Window window = windows.window(padded);
    return steps.add(
        node.name(weight),
        new Operator.Convolution(inputs, outputs, window, groups, bias.isPresent()),
        tensors,
        input);
  }

  /** A vector as an image of one pixel. */
  private static Operand.Feature pixel(Operand.Feature vector) {
    return new Operand.Feature(vector.step(), List.of(vector.sizes().getFirst(), 1L, 1L));
  }

  /** A constant of one value for each output, or of one for all. */
  private static Parameter oneEach(Constant constant, long outputs) {
    List<Long> all = List.of(outputs);
    if (constant.count() == 1 && outputs > 1) {
      return Parameter.of(constant.repeated(all), outputs);
    }
    if (constant.count() != outputs) {
      throw new RefusedException("has a bias of %s for %d outputs".formatted(constant, outputs));
    }
    return Parameter.of(constant, outputs);
  }

  private Operand gemm(Node node) {
    if (node.flag("transA")) {
      throw new RefusedException("transposes its features, which no layer does");
    }
    Constant weight = matrix(node.constant(1));
    boolean transposed = node.flag("transB");
    float alpha = node.real("alpha", 1);
    float beta = node.real("beta", 1);
    Optional<Constant> bias = node.optionalConstant(2);
    Parameter weights = linear(weight, transposed);
    long outputs = weights.shape().size(0);
    Map<String, Parameter> tensors = new HashMap<>();
    tensors.put("weight", alpha == 1 ? weights : weights.then(values -> scaled(values, alpha)));
    bias.map(b -> oneEach(b, outputs))
        .ifPresent(
            b -> tensors.put("bias", beta == 1 ? b : b.then(values -> scaled(values, beta))));
    return linear(node, weight, tensors);
  }

  private static float[] scaled(float[] values, float factor) {
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
    return values;
  }

  private Operand matMul(Node node) {
    Constant weight = matrix(node.constant(1));
    return linear(node, weight, Map.of("weight", linear(weight, false)));
  }

  private static Constant matrix(Constant weight) {
    if (weight.sizes().size() != 2) {
      throw new RefusedException(
          "multiplies by a constant of %s; known are matrices".formatted(weight));
    }
    return weight;
  }

  /** Weights as [outputs, inputs]. */
  private static Parameter linear(Constant weight, boolean transposed) {
    long rows = weight.sizes().get(0);
    long columns = weight.sizes().get(1);
    return transposed
        ? Parameter.of(weight, rows, columns)
        : Parameter.of(weight.transposed(), columns, rows);
  }

  private Operand linear(Node node, Constant weight, Map<String, Parameter> tensors) {
    Operand.Dynamic value = node.dynamic(0);
    if (value.sizes().size() != 1) {
      throw new RefusedException(
          "multiplies features of %s, which are no vector: known is flattened or pooled features"
              .formatted(value.sizes()));
    }
    Parameter weights = tensors.get("weight");
    return steps.add(
        node.name(weight),
        new Operator.Linear(
            weights.shape().size(1), weights.shape().size(0), tensors.containsKey("bias")),
        tensors,
        features.of(value));
  }

  private Operand batchNorm(Node node) {
    if (node.whole("spatial", 1) != 1) {
      throw new RefusedException("normalizes every pixel by itself; known is by channels");
    }
    if (node.flag("training_mode")) {
      notes.add(
          "%s is in training mode; its running statistics are used"
              .formatted(Node.text(node.proto())));
    }
    Operand.Feature input = features.of(node.dynamic(0));
    List<Constant> constants = new ArrayList<>();
    for (int i = 1; i <= 4; i++) {
      constants.add(node.constant(i));
    }
    long channels = constants.getFirst().count();
    Map<String, Parameter> tensors = new HashMap<>();
    List<String> parts = List.of("weight", "bias", "running_mean", "running_var");
    for (int i = 0; i < parts.size(); i++) {
      if (constants.get(i).count() != channels) {
        throw new RefusedException(
            "has %d weights and a %s of %s".formatted(channels, parts.get(i), constants.get(i)));
      }
      tensors.put(parts.get(i), Parameter.of(constants.get(i), channels));
    }
    Operand.Feature output =
        steps.add(
            node.name(constants.getFirst()),
            new Operator.BatchNorm(channels, node.real("epsilon", 1e-5f)),
            tensors,
            input);
    return new Operand.Feature(output.step(), node.dynamic(0).sizes());
  }
}
