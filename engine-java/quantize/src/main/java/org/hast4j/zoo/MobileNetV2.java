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
 * MobileNetV2 of Sandler et al. 2018 (arXiv 1801.04381, table 2) as torchvision builds and names
 * it: a 3x3 stem of stride 2, seventeen inverted residuals (1x1 expansion, 3x3 depthwise and 1x1
 * projection, BatchNorm behind each and ReLU6 behind all but the projection, added to the input
 * where the shapes agree), a 1x1 convolution, global average pooling and a linear classifier.
 */
public final class MobileNetV2 {
  private static final int STEM = 32;
  private static final int FEATURES = 1280;

  /** Channels that the last block gives at width 1. */
  static final int BOTTLENECK = 320;

  private static final float CEILING = 6;
  private static final List<Stage> STAGES =
      List.of(
          new Stage(1, 16, 1, 1),
          new Stage(6, 24, 2, 2),
          new Stage(6, 32, 3, 2),
          new Stage(6, 64, 4, 2),
          new Stage(6, 96, 3, 1),
          new Stage(6, 160, 3, 2),
          new Stage(6, BOTTLENECK, 1, 1));
  private static final Pattern NAME =
      Pattern.compile("mobilenetv2(-expanded)?" + WidthMultiplier.SUFFIX + Topologies.SUFFIX);

  private MobileNetV2() {}

  private record Stage(int expansion, int channels, int blocks, int stride) {}

  /** How the first inverted residual, of expansion 1, begins. */
  public enum FirstBlock {
    /** With the depthwise convolution, as in the paper. */
    PLAIN,
    /**
     * With a 1x1 convolution from 32 to 32 channels before it, as in pytorchcv's mobilenetv2_w1.
     */
    EXPANDED
  }

  /**
   * A MobileNetV2.
   *
   * @param width multiplier of all channels, rounded to multiples of 8: a multiple of 0.05 up to 4
   * @param classes 2 to 100000; 1000 in the paper
   * @param size input height and width, 32 to 1024 pixels; 224 in the paper
   * @throws RefusedException if one of them is not
   */
  public static Model of(double width, int classes, int size, FirstBlock first) {
    return of(WidthMultiplier.of(width), classes, size, first);
  }

  static Model of(WidthMultiplier width, int classes, int size, FirstBlock first) {
    Topologies.checkClasses(classes);
    Topologies.checkImageNetSize(size);
    Model.Builder net = new Model.Builder(new Model.Input(size, size, 3));
    long channels = width.roundedToEights(STEM);
    Operator stem = new Operator.Convolution(3, channels, 3, 2, 1);
    String x = activated(net, "features.0", stem, channels, Model.IMAGE);
    int index = 1;
    for (Stage stage : STAGES) {
      long outputs = width.roundedToEights(stage.channels);
      for (int block = 0; block < stage.blocks; block++) {
        String name = "features." + index++;
        boolean expands = stage.expansion != 1 || first == FirstBlock.EXPANDED;
        int stride = block == 0 ? stage.stride : 1;
        long hidden = channels * stage.expansion;
        x = block(net, name, x, channels, hidden, outputs, stride, expands);
        channels = outputs;
      }
    }
    long features = width.atLeastOne().roundedToEights(FEATURES);
    Operator last = new Operator.Convolution(channels, features, 1, 1, 0);
    x = activated(net, "features." + index, last, features, x);
    x = net.add("avgpool", new Operator.GlobalAveragePool(), x);
    net.add("classifier.1", new Operator.Linear(features, classes), x);
    String name =
        "mobilenetv2"
            + (first == FirstBlock.EXPANDED ? "-expanded" : "")
            + width.suffix()
            + Topologies.suffix(classes, size);
    return net.build(name);
  }

  private static String block(
      Model.Builder net,
      String name,
      String x,
      long inputs,
      long hidden,
      long outputs,
      int stride,
      boolean expands) {
    String part = name + ".conv.";
    int index = 0;
    String y = x;
    if (expands) {
      Operator expansion = new Operator.Convolution(inputs, hidden, 1, 1, 0);
      y = activated(net, part + index++, expansion, hidden, y);
    }
    Operator depthwise = Operator.Convolution.depthwise(hidden, 3, stride, 1);
    y = activated(net, part + index++, depthwise, hidden, y);
    y = net.add(part + index++, new Operator.Convolution(hidden, outputs, 1, 1, 0), y);
    y = net.add(part + index, new Operator.BatchNorm(outputs), y);
    return stride == 1 && inputs == outputs ? net.add(name + ".add", new Operator.Add(), y, x) : y;
  }

  private static String activated(
      Model.Builder net, String name, Operator convolution, long channels, String x) {
    String y = net.add(name + ".0", convolution, x);
    y = net.add(name + ".1", new Operator.BatchNorm(channels), y);
    return net.add(
        name + ".2", new Operator.Activation(ActivationFunction.boundedRelu(CEILING)), y);
  }

  /**
   * Parses a name as {@link Model#name} gives it: mobilenetv2, mobilenetv2-expanded,
   * mobilenetv2-w0.5-10-64px. Empty if it is none of these.
   */
  static Optional<Model> named(String name) {
    Matcher matcher = NAME.matcher(name);
    return matcher.matches()
        ? Optional.of(
            of(
                WidthMultiplier.parse(matcher.group(2)),
                Topologies.number(matcher.group(3), Topologies.IMAGE_NET_CLASSES),
                Topologies.number(matcher.group(4), Topologies.IMAGE_NET_SIZE),
                matcher.group(1) == null ? FirstBlock.PLAIN : FirstBlock.EXPANDED))
        : Optional.empty();
  }

  /**
   * The multiplier of the network whose last block gives so many channels.
   *
   * @throws RefusedException if there is none
   */
  static WidthMultiplier width(long channels) {
    return WidthMultiplier.solve(
        channels, width -> width.roundedToEights(BOTTLENECK), "a MobileNetV2's last block");
  }
}
