package org.hast4j.zoo;

import java.util.Arrays;
import java.util.List;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.tensor.ActivationFunction;

/**
 * Residual networks whose convolutions have their BatchNorm and activation in front of them (He et
 * al. 2016, Identity Mappings in Deep Residual Networks), Wide ResNets among them (Zagoruyko and
 * Komodakis 2016): units layer1.0 .. of bn1, conv1, bn2, conv2 and, in a bottleneck, bn3, conv3; a
 * shortcut is a convolution downsample.0. The stem conv1 may have a BatchNorm bn0, and bn stands
 * before the average, if there is one.
 *
 * <p>Words: {@code shortcut}, {@code activated} where the shortcut's convolution reads what the
 * first convolution reads, {@code raw} where it reads the unit's input; {@code unit-stride}, which
 * convolution of a unit has the stride; {@code strides} of the stages.
 */
final class PreActivationResNets {

  private final State state;
  private final Stack net;
  private final ActivationFunction function;
  private final boolean shared;
  private final boolean strideFirst;

  private enum ShortcutInput {
    ACTIVATED,
    RAW
  }

  private PreActivationResNets(State state, Stack net, Assumptions assumed) {
    this.state = state;
    this.net = net;
    function = assumed.activation("relu");
    shared =
        assumed.oneOf("shortcut", ShortcutInput.class, ShortcutInput.ACTIVATED)
            == ShortcutInput.ACTIVATED;
    ResNets.StridedConvolution usual =
        bottleneck() ? ResNets.StridedConvolution.SECOND : ResNets.StridedConvolution.FIRST;
    strideFirst =
        assumed.oneOf("unit-stride", ResNets.StridedConvolution.class, usual)
            == ResNets.StridedConvolution.FIRST;
  }

  static Model model(State state, Assumptions assumed) {
    boolean imageNet = state.weight("conv1", 4).size(2) >= 5;
    Stack net =
        Stack.of(state, assumed, "conv1", imageNet ? Topologies.IMAGE_NET_SIZE : CifarResNet.SIZE);
    return new PreActivationResNets(state, net, assumed).built(imageNet, assumed);
  }

  private Model built(boolean imageNet, Assumptions assumed) {
    String x = net.convolution("conv1", imageNet ? 2 : 1, Model.IMAGE);
    if (state.hasLayer("bn0")) {
      x = activated("bn0", "relu0", x);
    }
    x = imageNet ? net.pool("maxpool", Operator.Pool.Kind.MAX, 3, 2, 1, x) : x;
    List<Integer> stages = state.stages("layer");
    int[] strides = new int[stages.size()];
    Arrays.fill(strides, 2);
    strides[0] = 1;
    strides = assumed.strides(strides);
    int units = 0;
    for (int stage : stages) {
      List<Integer> numbers = state.numbers("layer" + stage + ".");
      for (int unit : numbers) {
        int stride = unit == numbers.getFirst() ? strides[stage - 1] : 1;
        x = unit("layer" + stage + "." + unit, stride, x);
      }
      units += numbers.size();
    }
    if (state.hasLayer("bn")) {
      x = activated("bn", "relu", x);
    }
    net.head("avgpool", "fc", x);
    return net.build(name(units, stages.size()));
  }

  private String activated(String norm, String activation, String x) {
    return net.activation(activation, function, net.norm(norm, x));
  }

  private String unit(String name, int stride, String x) {
    boolean bottleneck = state.hasLayer(name + ".conv3");
    String first = activated(name + ".bn1", name + ".relu1", x);
    String y = net.convolution(name + ".conv1", strideFirst ? stride : 1, first);
    y = activated(name + ".bn2", name + ".relu2", y);
    y = net.convolution(name + ".conv2", strideFirst ? 1 : stride, y);
    if (bottleneck) {
      y = activated(name + ".bn3", name + ".relu3", y);
      y = net.convolution(name + ".conv3", 1, y);
    }
    String carried = x;
    if (state.hasLayer(name + ".downsample.0")) {
      carried = net.convolution(name + ".downsample.0", stride, shared ? first : x);
    } else if (stride != 1 || net.channels(x) != net.channels(y)) {
      carried = net.add(name + ".shortcut", new Operator.ChannelPad(stride, net.channels(y)), x);
    }
    return net.add(name + ".add", y, carried);
  }

  private boolean bottleneck() {
    return state.hasLayer("layer1.0.conv3");
  }

  /** Wide ResNets count the shortcuts' convolutions too. */
  private String name(int units, int stages) {
    int depth = units * (bottleneck() ? 3 : 2) + 2;
    long stem = state.outputs("conv1");
    boolean wide = stages == 3 && !bottleneck() && units % 3 == 0;
    long times = state.outputs("layer1.0.conv1") / Math.max(1, stem);
    return (wide
            ? "wide-resnet" + (depth + 2) + "-" + times
            : "preact-resnet" + depth + (stem == 64 ? "" : "-w" + stem))
        + net.suffix("fc");
  }
}
