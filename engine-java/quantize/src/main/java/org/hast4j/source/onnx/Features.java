package org.hast4j.source.onnx;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Operator;
import org.hast4j.model.Window;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.Shape;

/** Makes layers of values that wait for what they are part of. */
final class Features {
  private static final double TOLERANCE = 1e-5;

  private final Steps steps;

  Features(Steps steps) {
    this.steps = steps;
  }

  /**
   * A value as the output of a layer, by its natural sizes: [c, h, w] of an image, else a vector.
   *
   * @throws RefusedException if no layer computes it
   */
  Operand.Feature of(Operand.Dynamic value) {
    return natural(settled(value));
  }

  /** Likewise, by the sizes that the graph has. */
  Operand.Feature settled(Operand.Dynamic value) {
    return switch (value) {
      case Operand.Feature feature -> feature;
      case Operand.Strided strided -> subsampled(strided);
      case Operand.Affine affine -> affine(affine);
      case Operand.Product product -> product(product, 1);
      case Operand.Function function -> function(function);
      case Operand.ChannelsLast last ->
          throw new RefusedException(
              "its input is %s as [height, width, channels], which no layer takes"
                  .formatted(last.sizes()));
      case Operand.Padded _ ->
          throw new RefusedException(
              "its input is padded, which convolutions and poolings can do only");
      case Operand.Shuffled _ ->
          throw new RefusedException(
              "its input is transposed: transposes are known as part of a channel shuffle");
      case Operand.PartialMean _ ->
          throw new RefusedException("its input is a mean of rows or columns alone");
      case Operand.Final last ->
          throw new RefusedException(
              "it reads the output of %s, which is known at the very end only"
                  .formatted(Node.text(last.node().proto())));
    };
  }

  private Operand.Feature natural(Operand.Feature feature) {
    Step step = feature.step();
    List<Long> natural = step.sizes();
    List<Long> sizes = new ArrayList<>(feature.sizes());
    if (sizes.equals(natural)) {
      return feature;
    }
    sizes.removeIf(size -> size == 1);
    if (sizes.size() <= 1) {
      return natural.size() == 1 ? new Operand.Feature(step, natural) : steps.flattened(step);
    }
    throw new RefusedException(
        "its input is %s reshaped to %s, which is known as part of a channel shuffle only"
            .formatted(natural, feature.sizes()));
  }

  private Operand.Feature subsampled(Operand.Strided strided) {
    // One value of each window is the largest of it.
    Window window =
        new Window(
            new Window.Size(1, 1),
            strided.strides(),
            new Window.Padding(0, 0, 0, 0),
            new Window.Size(1, 1));
    Operand.Feature source = natural(strided.source());
    return steps.add(
        source.step().name() + ".slice", new Operator.Pool(Operator.Pool.Kind.MAX, window), source);
  }

  /** A function of every value. */
  Operand.Feature activation(Node node, ActivationFunction function, Operand.Dynamic input) {
    return sized(steps.add(node.name(), new Operator.Activation(function), of(input)), input);
  }

  private static Operand.Feature sized(Operand.Feature output, Operand.Dynamic input) {
    return new Operand.Feature(output.step(), input.sizes());
  }

  private Operand.Feature activation(
      Node node, ActivationFunction.Kind kind, Operand.Dynamic input) {
    return activation(node, new ActivationFunction(kind), input);
  }

  private Operand.Feature function(Operand.Function function) {
    Optional<Scaled> sigmoid = hardSigmoid(function);
    if (sigmoid.isPresent() && is(sigmoid.get().factor(), 1)) {
      return activation(
          function.node(), ActivationFunction.Kind.HARD_SIGMOID, sigmoid.get().input());
    }
    return switch (function.kind()) {
      case CLIP -> {
        if (function.low() != 0 || !(function.high() > 0)) {
          throw new RefusedException(
              "%s bounds values to %s and %s: known are bounds of 0 and above, as of ReLU6"
                  .formatted(Node.text(function.node().proto()), function.low(), function.high()));
        }
        yield activation(
            function.node(),
            ActivationFunction.boundedRelu((float) function.high()),
            function.base());
      }
      case ERF, SOFTPLUS, TANH ->
          throw new RefusedException(
              "%s is known as part of GELU or Mish only"
                  .formatted(Node.text(function.node().proto())));
    };
  }

  private Operand.Feature affine(Operand.Affine affine) {
    if (affine.isScalar() && affine.shift()[0] == 0) {
      double factor = affine.scale()[0];
      if (affine.base() instanceof Operand.Product product) {
        return product(product, factor);
      }
      Optional<Scaled> sigmoid = hardSigmoid(affine.base());
      if (sigmoid.isPresent() && is(sigmoid.get().factor() * factor, 1)) {
        return activation(
            affine.node(), ActivationFunction.Kind.HARD_SIGMOID, sigmoid.get().input());
      }
    }
    Operand.Feature base = of(affine.base());
    if (steps.isImage(base.step())) {
      return sized(steps.normalizedImage(affine.scale(), affine.shift()), affine);
    }
    return sized(folded(base.step(), affine), affine);
  }

  private Operand.Feature product(Operand.Product product, double factor) {
    Operand.Dynamic first = product.first();
    Operand.Dynamic second = product.second();
    Optional<Operand.Feature> known = known(product.node(), first, second, factor);
    if (known.isEmpty()) {
      known = known(product.node(), second, first, factor);
    }
    if (known.isPresent()) {
      return known.get();
    }
    Operand.Dynamic gate =
        factor == 1
            ? second
            : new Operand.Affine(second, new double[] {factor}, new double[] {0}, product.node());
    return sized(
        steps.add(product.node().name(), new Operator.Mul(), of(first), of(gate)), product);
  }

  /** The activation that factor x f(x) is, if it is one. */
  private Optional<Operand.Feature> known(
      Node node, Operand.Dynamic x, Operand.Dynamic f, double factor) {
    if (!(x instanceof Operand.Feature input)) {
      return Optional.empty();
    }
    if (is(factor, 1)
        && f instanceof Operand.Feature gate
        && isActivation(gate.step(), ActivationFunction.Kind.SIGMOID, input)) {
      return Optional.of(activation(node, ActivationFunction.Kind.SILU, input));
    }
    Optional<Scaled> sigmoid = hardSigmoid(f);
    if (sigmoid.isPresent()
        && is(sigmoid.get().factor() * factor, 1)
        && sigmoid.get().input().equals(input)) {
      return Optional.of(activation(node, ActivationFunction.Kind.HARD_SWISH, input));
    }
    if (is(factor, .5)
        && f instanceof Operand.Affine(Operand.Dynamic base, double[] scale, double[] shift, _)
        && isScalar(scale, shift, 1, 1)
        && base instanceof Operand.Function erf
        && erf.kind() == Operand.Function.Kind.ERF
        && erf.base() instanceof Operand.Affine inner
        && isScalar(inner.scale(), inner.shift(), Math.sqrt(.5), 0)
        && inner.base().equals(input)) {
      return Optional.of(activation(node, ActivationFunction.Kind.GELU, input));
    }
    if (is(factor, 1)
        && f instanceof Operand.Function tanh
        && tanh.kind() == Operand.Function.Kind.TANH
        && tanh.base() instanceof Operand.Function softplus
        && softplus.kind() == Operand.Function.Kind.SOFTPLUS
        && softplus.base().equals(input)) {
      return Optional.of(activation(node, ActivationFunction.Kind.MISH, input));
    }
    return Optional.empty();
  }

  /** A value that is factor times the hard sigmoid of an input. */
  private record Scaled(Operand.Dynamic input, double factor) {}

  private static Optional<Scaled> hardSigmoid(Operand.Dynamic value) {
    if (value instanceof Operand.Feature feature
        && feature.step().op() instanceof Operator.Activation activation
        && activation.function().kind() == ActivationFunction.Kind.HARD_SIGMOID) {
      Step input = feature.step().inputs().getFirst();
      return Optional.of(new Scaled(new Operand.Feature(input, feature.sizes()), 1));
    }
    if (value instanceof Operand.Function clip
        && clip.kind() == Operand.Function.Kind.CLIP
        && clip.low() == 0
        && clip.base() instanceof Operand.Affine inner) {
      // min(max(x + 3, 0), 6) is six times min(max(x / 6 + 1 / 2, 0), 1).
      double factor = clip.high();
      if (isScalar(inner.scale(), inner.shift(), factor / 6, factor / 2)) {
        return Optional.of(new Scaled(inner.base(), factor));
      }
    }
    return Optional.empty();
  }

  private static boolean isActivation(
      Step step, ActivationFunction.Kind kind, Operand.Feature input) {
    return step.op() instanceof Operator.Activation activation
        && activation.function().kind() == kind
        && step.inputs().getFirst() == input.step();
  }

  private static boolean isScalar(double[] scale, double[] shift, double a, double b) {
    return scale.length == 1 && is(scale[0], a) && is(shift[0], b);
  }

  private static boolean is(double value, double expected) {
    return Math.abs(value - expected) <= TOLERANCE * Math.max(1, Math.abs(expected));
  }

  /** A layer with weights whose output is scaled and shifted. */
  private Operand.Feature folded(Step step, Operand.Affine affine) {
    Map<String, Parameter> tensors = new HashMap<>(step.parameters());
    double[] scale = affine.scale();
    double[] shift = affine.shift();
    Operator op =
        switch (step.op()) {
          case Operator.Convolution conv ->
              new Operator.Convolution(
                  conv.inputs(), conv.outputs(), conv.window(), conv.groups(), true);
          case Operator.Linear linear -> new Operator.Linear(linear.inputs(), linear.outputs());
          case Operator.BatchNorm norm -> norm;
          case null -> throw unfoldable(affine);
          case Operator.Activation _,
              Operator.PRelu _,
              Operator.Add _,
              Operator.Mul _,
              Operator.Concat _,
              Operator.Pool _,
              Operator.GlobalAveragePool _,
              Operator.Flatten _,
              Operator.ChannelPad _,
              Operator.ChannelShuffle _,
              Operator.Slice _ ->
              throw unfoldable(affine);
        };
    Parameter weight = tensors.get("weight");
    if (scale.length > 1 || scale[0] != 1) {
      tensors.put("weight", weight.then(values -> scaled(values, scale)));
    }
    Parameter bias = tensors.get("bias");
    if (bias != null) {
      tensors.put("bias", bias.then(values -> shifted(scaled(values, scale), shift)));
    } else {
      Parameter zeros =
          new Parameter(
              weight.name(),
              Shape.of(weight.shape().size(0)),
              new Constant("", weight.dtype(), List.of(), new Values.Repeated(0, 0)),
              UnaryOperator.identity());
      tensors.put("bias", zeros.then(values -> shifted(values, shift)));
    }
    return steps.changed(step, op, tensors);
  }

  private static RefusedException unfoldable(Operand.Affine affine) {
    return new RefusedException(
        "%s computes with constants: known behind a convolution, a linear layer, a BatchNorm or the input, or as part of an activation"
            .formatted(Node.text(affine.node().proto())));
  }

  private static float[] scaled(float[] values, double[] scale) {
    int row = values.length / (scale.length == 1 ? 1 : scale.length);
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (values[i] * scale[i / row]);
    }
    return values;
  }

  private static float[] shifted(float[] values, double[] shift) {
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (values[i] + shift[shift.length == 1 ? 0 : i]);
    }
    return values;
  }
}
