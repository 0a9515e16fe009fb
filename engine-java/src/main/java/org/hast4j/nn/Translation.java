package org.hast4j.nn;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.hast4j.model.ActivationFunction;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.model.Window;

/**
 * What of a model becomes one graph node, and the one place that knows which models can be computed
 * at all: a {@link Model} may hold more than there are kernels for.
 */
final class Translation {
  private Translation() {}

  /**
   * Layers that become one node: a BatchNorm takes along the sum and the activation behind it where
   * nothing else needs what lies between; any other layer stands alone.
   *
   * @param sum the add that is part of it, whose other input is computed before
   * @param activation the activation that is part of it
   */
  record Step(Layer layer, Optional<Layer> sum, Optional<Layer> activation) {
    /** What the sum adds to the layer's own output. */
    Optional<String> residual() {
      return sum.map(
          add ->
              add.inputs().get(0).equals(layer.name()) ? add.inputs().get(1) : add.inputs().get(0));
    }
  }

  /**
   * The steps of a model, in order.
   *
   * @throws IllegalArgumentException naming the first layer that cannot be computed, and why
   */
  static List<Step> of(Model model) {
    List<Step> steps = new ArrayList<>();
    Set<String> computed = new HashSet<>(Set.of(model.input().name()));
    for (Layer layer : model.layers()) {
      if (computed.contains(layer.name())) {
        continue;
      }
      obstacle(layer)
          .ifPresent(
              why -> {
                throw new IllegalArgumentException(
                    "%s: layer %s cannot be computed yet: %s"
                        .formatted(model.name(), layer.name(), why));
              });
      Step step =
          layer.op() instanceof Operator.BatchNorm
              ? fused(model, layer, computed)
              : new Step(layer, Optional.empty(), Optional.empty());
      computed.add(layer.name());
      step.sum().ifPresent(add -> computed.add(add.name()));
      step.activation().ifPresent(activation -> computed.add(activation.name()));
      steps.add(step);
    }
    return steps;
  }

  private static Step fused(Model model, Layer norm, Set<String> computed) {
    Optional<Layer> next = onlyReader(model, norm);
    Optional<Layer> sum =
        next.filter(layer -> layer.op() instanceof Operator.Add)
            .filter(add -> add.inputs().stream().anyMatch(computed::contains));
    if (sum.isPresent()) {
      next = onlyReader(model, sum.get());
    }
    return new Step(norm, sum, next.filter(layer -> layer.op() instanceof Operator.Activation));
  }

  private static Optional<Layer> onlyReader(Model model, Layer layer) {
    List<Layer> readers = model.readers(layer.name());
    return readers.size() == 1 ? Optional.of(readers.getFirst()) : Optional.empty();
  }

  /** Why there is no kernel for a layer that stands at the beginning of a step. */
  private static Optional<String> obstacle(Layer layer) {
    return switch (layer.op()) {
      case Operator.Convolution conv -> obstacle(conv);
      case Operator.BatchNorm _,
          Operator.Add _,
          Operator.GlobalAveragePool _,
          Operator.ChannelPad _ ->
          Optional.empty();
      case Operator.Activation _ ->
          Optional.of(
              "it does not follow a BatchNorm, or a residual add of one, that it alone reads");
      case Operator.Pool pool ->
          pool.kind() == Operator.Pool.Kind.MAX
              ? obstacle(pool.window())
              : Optional.of("there is no average pooling but the global one");
      case Operator.Linear linear ->
          linear.bias() ? Optional.empty() : Optional.of("a linear layer must have a bias");
      case Operator.Mul _ -> Optional.of("there is no product of two layers");
      case Operator.Concat _ -> Optional.of("there is no concatenation");
      case Operator.Flatten _ ->
          Optional.of("there is no flattening; a global average pool gives a vector too");
      case Operator.ChannelShuffle _ -> Optional.of("there is no shuffling of channels");
      case Operator.Slice _ -> Optional.of("there is no slice of channels");
    };
  }

  private static Optional<String> obstacle(Operator.Convolution conv) {
    if (conv.bias()) {
      return Optional.of("its convolution has a bias");
    }
    if (conv.groups() != 1 && !conv.isDepthwise()) {
      return Optional.of(
          "its convolution has %d groups; 1 can be computed, and one for each of as many channels in as out"
              .formatted(conv.groups()));
    }
    return obstacle(conv.window());
  }

  private static Optional<String> obstacle(Window window) {
    Window.Size kernel = window.kernel();
    if (kernel.height() != kernel.width()) {
      return Optional.of("its window of %s is not square".formatted(kernel));
    }
    Window square = Window.square(kernel.height(), stride(window), padding(window));
    return window.equals(square)
        ? Optional.empty()
        : Optional.of(
            "its strides (%s), padding (%s) and dilation (%s) are not the same in both directions and at all sides, without dilation"
                .formatted(window.strides(), window.padding(), window.dilations()));
  }

  /** The stride of a window that can be computed. */
  static int stride(Window window) {
    return window.strides().height();
  }

  /** The padding of a window that can be computed. */
  static int padding(Window window) {
    return window.padding().top();
  }

  /** The upper bound of an activation that can be computed, all of which are 0 below 0. */
  static float ceiling(Layer activation) {
    return switch (((Operator.Activation) activation.op()).function()) {
      case ActivationFunction.Relu relu -> relu.ceiling();
    };
  }
}
