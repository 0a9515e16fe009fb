package org.hast4j.zoo;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.hast4j.model.Model;
import org.hast4j.tensor.ActivationFunction;

/**
 * RegNetX and RegNetY of Radosavovic et al. 2020 (arXiv 2003.13678) in torchvision's names: a 3x3
 * stem of stride 2, stages of residual bottlenecks with grouped convolutions, in Y with
 * squeeze-and-excitation, global average pooling and a linear classifier.
 */
final class RegNets {
  private static final String TRUNK = "trunk_output.block";

  /** The published ones by the channels of their last stage. */
  private static final Map<Long, String> X =
      Map.of(
          400L, "400mf", 672L, "800mf", 912L, "1.6gf", 1008L, "3.2gf", 1920L, "8gf", 2048L, "16gf",
          2520L, "32gf");

  private static final Map<Long, String> Y =
      Map.of(
          440L, "400mf", 784L, "800mf", 888L, "1.6gf", 1512L, "3.2gf", 2016L, "8gf", 3024L, "16gf",
          3712L, "32gf", 7392L, "128gf");

  private RegNets() {}

  static Model model(State state, Assumptions assumed) {
    Stack net = Stack.of(state, assumed, "stem.0", Topologies.IMAGE_NET_SIZE);
    ActivationFunction function = assumed.activation("relu");
    List<Integer> stages = state.consecutive(TRUNK, 1);
    int[] usual = new int[stages.size() + 1];
    Arrays.fill(usual, 2);
    int[] strides = assumed.strides(usual);
    String x = ConvBlock.of("stem").activated(net, strides[0], function, Model.IMAGE);
    for (int stage : stages) {
      String name = TRUNK + stage + ".block" + stage + "-";
      for (int unit : state.consecutive(name, 0)) {
        x = unit(net, name + unit, unit == 0 ? strides[stage] : 1, function, x);
      }
    }
    boolean gated = state.hasLayer(TRUNK + "1.block1-0.f.se.fc1");
    String size = (gated ? Y : X).get(net.channels(x));
    net.head("avgpool", "fc", x);
    return net.build(
        "regnet-" + (gated ? "y" : "x") + (size == null ? "" : "-" + size) + net.suffix("fc"));
  }

  private static String unit(
      Stack net, String name, int stride, ActivationFunction function, String x) {
    State state = net.state();
    String shortcut = name + ".proj.";
    String carried =
        state.hasLayer(shortcut + "0") || state.hasLayer(shortcut + "1")
            ? ConvBlock.of(name + ".proj").linear(net, stride, x)
            : x;
    String y = ConvBlock.of(name + ".f.a").activated(net, 1, function, x);
    y = ConvBlock.of(name + ".f.b").activated(net, stride, function, y);
    String gate = name + ".f.se";
    if (state.hasLayer(gate + ".fc1") || state.hasLayer(gate + ".fc2")) {
      ActivationFunction sigmoid = new ActivationFunction(ActivationFunction.Kind.SIGMOID);
      y = net.excited(gate, gate + ".fc1", gate + ".fc2", function, sigmoid, y);
    }
    y = ConvBlock.of(name + ".f.c").linear(net, 1, y);
    return net.activation(name + ".activation", function, net.add(name + ".add", y, carried));
  }
}
