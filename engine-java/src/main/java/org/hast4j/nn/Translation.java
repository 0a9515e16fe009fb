package org.hast4j.nn;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.hast4j.failure.RefusedException;
import org.hast4j.graph.Pooling;
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

    /** Upper bound of the activation, none without one. */
    float ceiling() {
      return activation
          .flatMap(Translation::relu)
          .map(ActivationFunction.Relu::ceiling)
          .orElse(Float.POSITIVE_INFINITY);
    }
  }

  /**
   * The steps of a model, in order.
   *
   * @throws RefusedException naming the first layer that cannot be computed, and why
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
                throw new RefusedException(
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
            .filter(add -> add.inputs().stream().anyMatch(computed::contains))
            .filter(
                add -> model.shape(add.inputs().get(0)).equals(model.shape(add.inputs().get(1))));
    if (sum.isPresent()) {
      next = onlyReader(model, sum.get());
    }
    return new Step(norm, sum, next.filter(layer -> relu(layer).isPresent()));
  }

  private static Optional<Layer> onlyReader(Model model, Layer layer) {
    List<Layer> readers = model.readers(layer.name());
    return readers.size() == 1 ? Optional.of(readers.getFirst()) : Optional.empty();
  }

  /** Why there is no kernel for a layer that stands at the beginning of a step. */
  private static Optional<String> obstacle(Layer layer) {
    return switch (layer.op()) {
      case Operator.Pool(Operator.Pool.Kind kind, Window window)
          when kind == Operator.Pool.Kind.MAX
              && window.kernel().height() > Pooling.MaxPool.MAX_WINDOW ->
          Optional.of(
              "its max pool's window (%s) is larger than %d each way"
                  .formatted(window.kernel(), Pooling.MaxPool.MAX_WINDOW));
      case Operator.Pool pool -> obstacle(pool.window());
      case Operator.Convolution _,
          Operator.BatchNorm _,
          Operator.Activation _,
          Operator.Add _,
          Operator.Mul _,
          Operator.Concat _,
          Operator.GlobalAveragePool _,
          Operator.Linear _,
          Operator.Flatten _,
          Operator.ChannelPad _,
          Operator.ChannelShuffle _,
          Operator.Slice _ ->
          Optional.empty();
    };
  }

  private static Optional<String> obstacle(Window window) {
    int kernel = window.kernel().height();
    Window square = Window.square(kernel, window.strides().height(), window.padding().top());
    return window.equals(square)
        ? Optional.empty()
        : Optional.of(
            "its pool's window (%s), strides (%s), padding (%s) and dilation (%s) are not the same in both directions and at all sides, without dilation"
                .formatted(
                    window.kernel(), window.strides(), window.padding(), window.dilations()));
  }

  /** What of an activation can be part of a BatchNorm's node: a ReLU, bounded or not. */
  private static Optional<ActivationFunction.Relu> relu(Layer layer) {
    return layer.op() instanceof Operator.Activation activation
            && activation.function() instanceof ActivationFunction.Relu relu
            && relu.slope() == 0
        ? Optional.of(relu)
        : Optional.empty();
  }
}
