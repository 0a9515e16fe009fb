package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.ActivationFunction;

/**
 * The unit of Sandler et al. 2018 (arXiv 1801.04381): an expansion, a depthwise convolution and a
 * projection without an activation, added to its input where the shapes agree. Fused ones have a
 * full convolution in place of the first two.
 *
 * @param name of the unit
 * @param blocks of three, two without an expansion; a single one is activated
 * @param gate before the projection
 */
record InvertedResidual(String name, List<ConvBlock> blocks, Optional<Gate> gate) {
  /**
   * Squeeze-and-excitation.
   *
   * @param name of its layers without tensors
   * @param reduce name of the first linear layer
   * @param expand name of the second
   */
  record Gate(
      String name,
      String reduce,
      String expand,
      ActivationFunction inner,
      ActivationFunction outer) {}

  /**
   * Of parts as torchvision names those of MobileNetV3 and EfficientNet: NAME.block.0, 1, ..; the
   * one with fc1 and fc2 is the gate.
   */
  static InvertedResidual of(
      State state, String name, ActivationFunction inner, ActivationFunction outer) {
    List<ConvBlock> blocks = new ArrayList<>();
    Optional<Gate> gate = Optional.empty();
    for (int number : state.numbers(name + ".block.")) {
      String part = name + ".block." + number;
      if (state.hasLayer(part + ".fc1") || state.hasLayer(part + ".fc2")) {
        gate = Optional.of(new Gate(part, part + ".fc1", part + ".fc2", inner, outer));
      } else {
        blocks.add(ConvBlock.of(part));
      }
    }
    if (blocks.isEmpty() || blocks.size() > 3) {
      throw new RefusedException(
          "%s has %d convolutions, 1 to 3 are known".formatted(name, blocks.size()));
    }
    return new InvertedResidual(name, blocks, gate);
  }

  /** Channels that the unit gives. */
  long outputs(State state) {
    return state.outputs(blocks.getLast().convolution());
  }

  /** Appends the unit; the stride is the depthwise convolution's. */
  String append(Stack net, int stride, ActivationFunction function, String x) {
    int strided = Math.max(0, blocks.size() - 2);
    String y = x;
    for (int i = 0; i < blocks.size() - 1; i++) {
      y = blocks.get(i).activated(net, i == strided ? stride : 1, function, y);
    }
    if (gate.isPresent()) {
      Gate g = gate.get();
      y = net.excited(g.name, g.reduce, g.expand, g.inner, g.outer, y);
    }
    ConvBlock last = blocks.getLast();
    y = blocks.size() == 1 ? last.activated(net, stride, function, y) : last.linear(net, 1, y);
    String shortcut = name + ".shortcut.";
    if (net.state().hasLayer(shortcut + "0")) {
      String carried = net.norm(shortcut + "1", net.convolution(shortcut + "0", 1, x));
      return net.add(name + ".add", y, carried);
    }
    return stride == 1 && net.channels(x) == net.channels(y) ? net.add(name + ".add", y, x) : y;
  }

  /**
   * Parts units that are numbered through into stages: the usual numbers if they add up, else a
   * stage begins where the number of channels changes.
   *
   * @param usual number of units of each stage
   * @return number of units of each stage
   * @throws RefusedException if there are not as many stages
   */
  static List<Integer> stages(State state, List<InvertedResidual> units, List<Integer> usual) {
    if (units.size() == usual.stream().mapToInt(Integer::intValue).sum()) {
      return usual;
    }
    List<Integer> stages = new ArrayList<>();
    for (int i = 0; i < units.size(); i++) {
      if (i > 0 && units.get(i).outputs(state) == units.get(i - 1).outputs(state)) {
        stages.set(stages.size() - 1, stages.getLast() + 1);
      } else {
        stages.add(1);
      }
    }
    if (stages.size() != usual.size()) {
      throw new RefusedException(
          "its %d units change their channels %d times, %d stages are known; describe its structure in a JSON file (docs/format.md)"
              .formatted(units.size(), stages.size(), usual.size()));
    }
    return stages;
  }
}
