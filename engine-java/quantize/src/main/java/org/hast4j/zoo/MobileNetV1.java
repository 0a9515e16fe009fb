package org.hast4j.zoo;

import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.tensor.ActivationFunction;

/**
 * MobileNet of Howard et al. 2017 (arXiv 1704.04861, table 1): a 3x3 stem of stride 2, thirteen
 * depthwise-separable units (a 3x3 depthwise and a 1x1 convolution, BatchNorm and ReLU behind
 * each), global average pooling and a linear classifier. Layers are named as in pytorchcv.
 */
public final class MobileNetV1 {
  private static final int STEM = 32;
  private static final List<List<Integer>> STAGES =
      List.of(
          List.of(64),
          List.of(128, 128),
          List.of(256, 256),
          List.of(512, 512, 512, 512, 512, 512),
          List.of(1024, 1024));
  private static final Pattern NAME =
      Pattern.compile("mobilenetv1" + WidthMultiplier.SUFFIX + Topologies.SUFFIX);

  private MobileNetV1() {}

  /**
   * A MobileNetV1.
   *
   * @param width multiplier of all channels, rounded down: a multiple of 0.05 up to 4
   * @param classes 2 to 100000; 1000 in the paper
   * @param size input height and width, 32 to 1024 pixels; 224 in the paper
   * @throws RefusedException if one of them is not
   */
  public static Model of(double width, int classes, int size) {
    return of(WidthMultiplier.of(width), classes, size);
  }

  static Model of(WidthMultiplier width, int classes, int size) {
    Topologies.checkClasses(classes);
    Topologies.checkImageNetSize(size);
    Model.Builder net = new Model.Builder(new Model.Input(size, size, 3));
    long channels = width.roundedDown(STEM);
    Operator stem = new Operator.Convolution(3, channels, 3, 2, 1);
    String x = activated(net, "features.init_block", stem, channels, Model.IMAGE);
    for (int stage = 1; stage <= STAGES.size(); stage++) {
      List<Integer> units = STAGES.get(stage - 1);
      for (int unit = 1; unit <= units.size(); unit++) {
        String name = "features.stage" + stage + ".unit" + unit;
        int stride = stage > 1 && unit == 1 ? 2 : 1;
        long outputs = width.roundedDown(units.get(unit - 1));
        Operator depthwise = Operator.Convolution.depthwise(channels, 3, stride, 1);
        x = activated(net, name + ".dw_conv", depthwise, channels, x);
        Operator pointwise = new Operator.Convolution(channels, outputs, 1, 1, 0);
        x = activated(net, name + ".pw_conv", pointwise, outputs, x);
        channels = outputs;
      }
    }
    x = net.add("features.final_pool", new Operator.GlobalAveragePool(), x);
    net.add("output", new Operator.Linear(channels, classes), x);
    String name = "mobilenetv1" + width.suffix() + Topologies.suffix(classes, size);
    return net.build(name);
  }

  private static String activated(
      Model.Builder net, String name, Operator convolution, long channels, String x) {
    String y = net.add(name + ".conv", convolution, x);
    y = net.add(name + ".bn", new Operator.BatchNorm(channels), y);
    return net.add(name + ".activ", new Operator.Activation(ActivationFunction.relu()), y);
  }

  /**
   * Parses a name as {@link Model#name} gives it: mobilenetv1, mobilenetv1-w0.5-10-64px. Empty if
   * it is none of these.
   */
  static Optional<Model> named(String name) {
    Matcher matcher = NAME.matcher(name);
    return matcher.matches()
        ? Optional.of(
            of(
                WidthMultiplier.parse(matcher.group(1)),
                Topologies.number(matcher.group(2), Topologies.IMAGE_NET_CLASSES),
                Topologies.number(matcher.group(3), Topologies.IMAGE_NET_SIZE)))
        : Optional.empty();
  }

  /**
   * The multiplier of the network whose classifier reads so many channels.
   *
   * @throws RefusedException if there is none
   */
  static WidthMultiplier width(long features) {
    return WidthMultiplier.solve(
        features,
        width -> width.roundedDown(STAGES.getLast().getLast()),
        "a MobileNetV1's classifier");
  }
}
