package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.tensor.ActivationFunction;

/**
 * The residual networks of He et al. 2016 and what was made of them, in torchvision's names: stem,
 * stages layer1, layer2, .. of units with two convolutions (basic) or three (bottleneck), global
 * average pooling and a linear classifier. Covers ResNets for ImageNet (7x7 stem, max pooling) and
 * CIFAR (3x3 stem), ResNeXt (groups), Wide ResNet and pruned ones (channels), deep stems and
 * averaged shortcuts (ResNet-D), and squeeze-and-excitation: the tensors say which.
 *
 * <p>Words: {@code residual-activation}, {@code unit} or {@code stage} for networks whose sums are
 * activated at the end of each stage only; {@code strides} of the stages, {@code stem-stride};
 * {@code unit-stride}, which convolution of a bottleneck has the stride.
 */
final class ResNets {

  private final State state;
  private final Stack net;
  private final Assumptions assumed;
  private final ActivationFunction function;
  private final boolean everyUnit;
  private final boolean strideFirst;
  private boolean padded;

  private enum Sums {
    /** Every sum is activated. */
    UNIT,
    /** Those at the end of a stage. */
    STAGE
  }

  /** Which convolution of a unit moves by its stride. */
  enum StridedConvolution {
    FIRST,
    SECOND
  }

  private ResNets(State state, Stack net, Assumptions assumed) {
    this.state = state;
    this.net = net;
    this.assumed = assumed;
    function = assumed.activation("relu");
    everyUnit = assumed.oneOf("residual-activation", Sums.class, Sums.UNIT) == Sums.UNIT;
    strideFirst =
        !bottleneck()
            || assumed.oneOf("unit-stride", StridedConvolution.class, StridedConvolution.SECOND)
                == StridedConvolution.FIRST;
  }

  /**
   * The state of a network of basic units, in which every stage after the first has twice the
   * channels.
   *
   * @param width channels of the first stage
   * @param stem kernel of the first convolution
   * @param projected whether a shortcut to more channels is a convolution
   * @param units number of units of each stage
   */
  static State basic(int width, int stem, boolean projected, int classes, int... units) {
    State.Builder state = new State.Builder();
    state.convolution("conv1", "bn1", width, 3, stem);
    long inputs = width;
    for (int stage = 1; stage <= units.length; stage++) {
      long outputs = (long) width << (stage - 1);
      for (int unit = 0; unit < units[stage - 1]; unit++) {
        String name = "layer" + stage + "." + unit + ".";
        if (projected && inputs != outputs) {
          state.convolution(name + "downsample.0", name + "downsample.1", outputs, inputs, 1);
        }
        state.convolution(name + "conv1", name + "bn1", outputs, inputs, 3);
        state.convolution(name + "conv2", name + "bn2", outputs, outputs, 3);
        inputs = outputs;
      }
    }
    return state.linear("fc", classes, inputs);
  }

  static Model model(State state, Assumptions assumed) {
    String stem = state.hasLayer("conv1.0") ? "conv1.0" : "conv1";
    boolean imageNet = stem.equals("conv1.0") || state.weight(stem, 4).size(2) >= 5;
    Stack net =
        Stack.of(state, assumed, stem, imageNet ? Topologies.IMAGE_NET_SIZE : CifarResNet.SIZE);
    return new ResNets(state, net, assumed).built(stem, imageNet);
  }

  private Model built(String stem, boolean imageNet) {
    String x = stem(stem, imageNet);
    List<Integer> units = new ArrayList<>();
    List<Integer> stages = state.stages("layer");
    int[] strides = new int[stages.size()];
    Arrays.fill(strides, 2);
    strides[0] = 1;
    strides = assumed.strides(strides);
    for (int stage : stages) {
      List<Integer> numbers = state.numbers("layer" + stage + ".");
      for (int unit : numbers) {
        int stride = unit == numbers.getFirst() ? strides[stage - 1] : 1;
        boolean activated = everyUnit || unit == numbers.getLast();
        x = unit("layer" + stage + "." + unit, stride, activated, x);
      }
      units.add(numbers.size());
    }
    String pool = imageNet ? "avgpool" : "pool";
    if (state.hasLayer("hidden")) {
      x = net.activation("hidden.relu", function, net.head(pool, "hidden", x));
      net.linear("fc", x);
    } else {
      net.head(pool, "fc", x);
    }
    return net.build(name(imageNet, units));
  }

  private String stem(String stem, boolean imageNet) {
    String x = Model.IMAGE;
    if (stem.equals("conv1")) {
      x = net.convolution("conv1", assumed.number("stem-stride", imageNet ? 2 : 1), x);
    } else {
      // Three 3x3 convolutions: conv1.0, conv1.3 and conv1.6, BatchNorms between them.
      x = net.convolution("conv1.0", 2, x);
      x = activated("conv1.1", "conv1.2", x);
      x = net.convolution("conv1.3", 1, x);
      x = activated("conv1.4", "conv1.5", x);
      x = net.convolution("conv1.6", 1, x);
    }
    x = activated("bn1", "relu", x);
    return imageNet ? net.pool("maxpool", Operator.Pool.Kind.MAX, 3, 2, 1, x) : x;
  }

  private String activated(String norm, String activation, String x) {
    return net.activation(activation, function, net.norm(norm, x));
  }

  private String unit(String name, int stride, boolean activate, String x) {
    boolean bottleneck = state.hasLayer(name + ".conv3");
    String carried =
        carried(name, stride, state.outputs(name + (bottleneck ? ".conv3" : ".conv2")), x);
    boolean first = strideFirst && !(bottleneck && grouped(name));
    String y = net.convolution(name + ".conv1", first ? stride : 1, x);
    y = activated(name + ".bn1", name + ".relu1", y);
    y = net.convolution(name + ".conv2", first ? 1 : stride, y);
    if (bottleneck) {
      y = activated(name + ".bn2", name + ".relu2", y);
      y = net.convolution(name + ".conv3", 1, y);
      y = net.norm(name + ".bn3", y);
    } else {
      y = net.norm(name + ".bn2", y);
    }
    if (state.hasLayer(name + ".se.fc1")) {
      y =
          net.excited(
              name + ".se",
              name + ".se.fc1",
              name + ".se.fc2",
              ActivationFunction.relu(),
              new ActivationFunction(ActivationFunction.Kind.SIGMOID),
              y);
    }
    y = net.add(name + ".add", y, carried);
    return activate ? net.activation(name + (bottleneck ? ".relu3" : ".relu2"), function, y) : y;
  }

  /** A unit's input as its sum of so many channels takes it. */
  private String carried(String name, int stride, long outputs, String x) {
    String shortcut = name + ".downsample.";
    if (state.hasLayer(shortcut + "1") && !state.hasLayer(shortcut + "0")) {
      // ResNet-D: averaged first, which has no tensors.
      Operator.Pool.Kind kind = Operator.Pool.Kind.AVERAGE_UNPADDED;
      String mean = stride == 1 ? x : net.poolCeil(shortcut + "0", kind, stride, stride, 0, x);
      return net.norm(shortcut + "2", net.convolution(shortcut + "1", 1, mean));
    }
    if (state.hasLayer(shortcut + "0")) {
      return net.norm(shortcut + "1", net.convolution(shortcut + "0", stride, x));
    }
    if (stride == 1 && net.channels(x) == outputs) {
      return x;
    }
    padded = true;
    return net.add(name + ".shortcut", new Operator.ChannelPad(stride, outputs), x);
  }

  /** Whether a unit is one of ResNeXt, whose strides are always in the grouped convolution. */
  private boolean grouped(String unit) {
    return groups(unit) > 1;
  }

  private long groups(String unit) {
    return state.outputs(unit + ".conv1") / Math.max(1, state.weight(unit + ".conv2", 4).size(1));
  }

  private boolean bottleneck() {
    return state.hasLayer("layer1.0.conv3");
  }

  /** As the built-in networks and torchvision's are called, where it is one. */
  private String name(boolean imageNet, List<Integer> units) {
    int depth = units.stream().mapToInt(Integer::intValue).sum() * (bottleneck() ? 3 : 2) + 2;
    long classes = state.outputs("fc");
    long width = state.outputs(state.hasLayer("conv1.6") ? "conv1.6" : "conv1");
    boolean cifar = !imageNet && units.size() == 3;
    // Concatenated, not formatted: a locale may have digits of its own.
    String kind = state.hasLayer("layer1.0.se.fc1") ? "se" : "";
    String name = kind + (grouped("layer1.0") ? "resnext" : "resnet") + depth;
    if (cifar) {
      String shortcut = padded ? "-a" : "-b";
      name = "cifar-" + name + (width == 16 ? "" : "-w" + width) + features() + shortcut;
      return name + (classes == 10 ? "" : "-" + classes);
    }
    boolean averaged = state.hasLayer("layer2.0.downsample.2");
    return (averaged ? name + "d" : name)
        + (width == 64 ? "" : "-w" + width)
        + features()
        + net.suffix("fc");
  }

  /** What the 3x3 convolutions of the first bottleneck have beyond ResNet's: 32x4d, or 2 times. */
  private String features() {
    long groups = groups("layer1.0");
    long inner = state.outputs("layer1.0.conv2");
    if (!bottleneck() || inner % groups != 0) {
      return "";
    }
    if (groups > 1) {
      return "-" + groups + "x" + inner / groups + "d";
    }
    long wider = 4 * inner / state.outputs("layer1.0.conv3");
    return wider > 1 ? "-wide" + wider : "";
  }
}
