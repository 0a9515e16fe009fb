package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.List;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.tensor.ActivationFunction;

/**
 * The densely connected networks of Huang et al. 2017 in torchvision's names: features.conv0 and
 * norm0, blocks features.denseblock1.denselayer1 .. of norm1, conv1 and, where they have
 * bottlenecks, norm2, conv2, each behind what it reads; features.transition1 .. of norm, conv and
 * an average over 2x2; features.norm5 and classifier. BatchNorm and activation stand before their
 * convolution. A 7x7 stem has stride 2 and max pooling.
 *
 * <p>Words: {@code stem}, {@code activated} or {@code plain} for a norm0 without an activation;
 * {@code concatenation}, {@code behind} or {@code before}, where new channels go.
 */
final class DenseNets {

  private final State state;
  private final Stack net;
  private final ActivationFunction function;
  private final boolean behind;

  private enum Stem {
    ACTIVATED,
    PLAIN
  }

  private enum Concatenation {
    BEHIND,
    BEFORE
  }

  private DenseNets(State state, Stack net, Assumptions assumed) {
    this.state = state;
    this.net = net;
    function = assumed.activation("relu");
    behind =
        assumed.oneOf("concatenation", Concatenation.class, Concatenation.BEHIND)
            == Concatenation.BEHIND;
  }

  static Model model(State state, Assumptions assumed) {
    String stem = "features.conv0";
    boolean imageNet = state.weight(stem, 4).size(2) >= 5;
    int size = imageNet ? Topologies.IMAGE_NET_SIZE : CifarResNet.SIZE;
    return new DenseNets(state, Stack.of(state, assumed, stem, size), assumed)
        .built(imageNet, assumed);
  }

  private Model built(boolean imageNet, Assumptions assumed) {
    String x = net.convolution("features.conv0", imageNet ? 2 : 1, Model.IMAGE);
    if (state.hasLayer("features.norm0")) {
      x = net.norm("features.norm0", x);
      if (assumed.oneOf("stem", Stem.class, Stem.ACTIVATED) == Stem.ACTIVATED) {
        x = net.activation("features.relu0", function, x);
      }
    }
    x = imageNet ? net.pool("features.pool0", Operator.Pool.Kind.MAX, 3, 2, 1, x) : x;
    List<Integer> layers = new ArrayList<>();
    List<Integer> blocks = state.stages("features.denseblock");
    for (int block : blocks) {
      String name = "features.denseblock" + block + ".denselayer";
      List<Integer> numbers = state.numbers(name);
      for (int layer : numbers) {
        x = layer(name + layer, x);
      }
      layers.add(numbers.size());
      if (block < blocks.size()) {
        x = transition("features.transition" + block, x);
      }
    }
    x = activated("features.norm5", "features.relu5", x);
    net.head("avgpool", "classifier", x);
    return net.build(name(layers));
  }

  private String activated(String norm, String activation, String x) {
    return net.activation(activation, function, net.norm(norm, x));
  }

  private String layer(String name, String x) {
    String y = activated(name + ".norm1", name + ".relu1", x);
    y = net.convolution(name + ".conv1", 1, y);
    if (state.hasLayer(name + ".conv2")) {
      y = activated(name + ".norm2", name + ".relu2", y);
      y = net.convolution(name + ".conv2", 1, y);
    }
    return net.concat(name + ".concat", behind ? List.of(x, y) : List.of(y, x));
  }

  private String transition(String name, String x) {
    String y = activated(name + ".norm", name + ".relu", x);
    y = net.convolution(name + ".conv", 1, y);
    return net.pool(name + ".pool", Operator.Pool.Kind.AVERAGE, 2, 2, 0, y);
  }

  /** By depth, as in the paper; the growth where it is not that of torchvision for this stem. */
  private String name(List<Integer> layers) {
    String first =
        "features.denseblock1.denselayer"
            + state.numbers("features.denseblock1.denselayer").getFirst();
    boolean bottleneck = state.hasLayer(first + ".conv2");
    int convolutions = layers.stream().mapToInt(Integer::intValue).sum() * (bottleneck ? 2 : 1);
    long growth = state.outputs(first + (bottleneck ? ".conv2" : ".conv1"));
    return "densenet"
        + (convolutions + layers.size() + 1)
        + (growth == 32 ? "" : "-k" + growth)
        + net.suffix("classifier");
  }
}
