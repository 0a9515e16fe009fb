package org.hast4j.zoo;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.tensor.ActivationFunction;

/**
 * ShuffleNetV2 of Ma et al. 2018 (arXiv 1807.11164) in torchvision's names: a 3x3 stem of stride 2,
 * max pooling, stages of units that split the channels or, at first, halve the image, a channel
 * shuffle behind each, a 1x1 convolution, global average pooling and a linear classifier.
 */
final class ShuffleNets {
  /** The published ones by the channels of their first stage. */
  private static final Map<Long, String> WIDTHS =
      Map.of(48L, "-x0.5", 116L, "-x1.0", 176L, "-x1.5", 244L, "-x2.0");

  private ShuffleNets() {}

  static Model model(State state, Assumptions assumed) {
    Stack net = Stack.of(state, assumed, "conv1.0", Topologies.IMAGE_NET_SIZE);
    ActivationFunction function = assumed.activation("relu");
    List<Integer> stages = state.consecutive("stage", 2);
    // Stem, pool and stages.
    int[] usual = new int[stages.size() + 2];
    Arrays.fill(usual, 2);
    int[] strides = assumed.strides(usual);
    String x = ConvBlock.of("conv1").activated(net, strides[0], function, Model.IMAGE);
    x = net.pool("maxpool", Operator.Pool.Kind.MAX, 3, strides[1], 1, x);
    String width = "";
    for (int stage : stages) {
      String name = "stage" + stage + ".";
      for (int unit : state.consecutive(name, 0)) {
        x = unit(net, name + unit, unit == 0 ? strides[stage] : 1, function, x);
      }
      if (stage == 2) {
        width = WIDTHS.getOrDefault(net.channels(x), "");
      }
    }
    x = ConvBlock.of("conv5").activated(net, 1, function, x);
    net.head("avgpool", "fc", x);
    return net.build("shufflenetv2" + width + net.suffix("fc"));
  }

  private static String unit(
      Stack net, String name, int stride, ActivationFunction function, String x) {
    State state = net.state();
    String carried;
    String read = x;
    String short1 = name + ".branch1.";
    if (state.numbers(short1).isEmpty()) {
      long split = net.channels(x) - state.weight(name + ".branch2.0", 4).size(1);
      carried = net.add(name + ".carried", new Operator.Slice(0, split), x);
      read = net.add(name + ".changed", new Operator.Slice(split, net.channels(x)), x);
    } else {
      carried = new ConvBlock(short1 + "0", short1 + "1", "").linear(net, stride, x);
      carried =
          new ConvBlock(short1 + "2", short1 + "3", short1 + "4")
              .activated(net, 1, function, carried);
    }
    String part = name + ".branch2.";
    String y = new ConvBlock(part + "0", part + "1", part + "2").activated(net, 1, function, read);
    y = new ConvBlock(part + "3", part + "4", "").linear(net, stride, y);
    y = new ConvBlock(part + "5", part + "6", part + "7").activated(net, 1, function, y);
    y = net.concat(name + ".concat", List.of(carried, y));
    return net.add(name + ".shuffle", new Operator.ChannelShuffle(2), y);
  }
}
