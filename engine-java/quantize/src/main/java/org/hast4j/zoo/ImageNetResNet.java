package org.hast4j.zoo;

import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.model.Window;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.Shape;

/**
 * ResNet-18 and ResNet-34 of He et al. 2016, section 4.1, as torchvision builds them: a 7x7 stem of
 * stride 2, 3x3 max pooling of stride 2, four stages of residual units with width, twice, four and
 * eight times the width, global average pooling and a linear classifier.
 */
public final class ImageNetResNet {
  /** Input height and width unless a file says otherwise, pixels. */
  public static final int SIZE = Topologies.IMAGE_NET_SIZE;

  private static final int WIDTH = 64;
  private static final int STEM_KERNEL = 7;
  private static final List<Integer> UNITS_18 = List.of(2, 2, 2, 2);
  private static final List<Integer> UNITS_34 = List.of(3, 4, 6, 3);
  private static final Pattern NAME =
      Pattern.compile("resnet(18|34)(?:-w(\\d{1,4}))?" + Topologies.SUFFIX);

  private ImageNetResNet() {}

  /**
   * An ImageNet ResNet.
   *
   * @param depth 18 or 34
   * @param width channels of the first stage, 1 to 1024; 64 in the paper
   * @param classes 2 to 100000; 1000 in the paper
   * @param size input height and width, 32 to 1024 pixels; 224 in the paper
   * @throws RefusedException if one of them is not
   */
  public static Model of(int depth, int width, int classes, int size) {
    List<Integer> units =
        switch (depth) {
          case 18 -> UNITS_18;
          case 34 -> UNITS_34;
          default ->
              throw new RefusedException(
                  "the depth of an ImageNet ResNet is 18 or 34, got " + depth);
        };
    Topologies.check(width, classes);
    Topologies.checkImageNetSize(size);
    Model.Builder net = new Model.Builder(new Model.Input(size, size, 3));
    String x = net.add("conv1", new Operator.Convolution(3, width, STEM_KERNEL, 2, 3), Model.IMAGE);
    x = net.add("bn1", new Operator.BatchNorm(width), x);
    x = net.add("relu", new Operator.Activation(ActivationFunction.relu()), x);
    x = net.add("maxpool", new Operator.Pool(Operator.Pool.Kind.MAX, Window.square(3, 2, 1)), x);
    int[] stages = units.stream().mapToInt(Integer::intValue).toArray();
    x = BasicBlocks.append(net, x, width, CifarResNet.Shortcut.B, stages);
    x = net.add("avgpool", new Operator.GlobalAveragePool(), x);
    net.add("fc", new Operator.Linear((long) width << (stages.length - 1), classes), x);
    // Concatenated, not formatted: the name is parsed again, and a locale may have digits of its
    // own.
    String name =
        "resnet" + depth + (width == WIDTH ? "" : "-w" + width) + Topologies.suffix(classes, size);
    return net.build(name);
  }

  /**
   * Parses a name as {@link Model#name} gives it: resnet18, resnet34-100, resnet18-w8-10-64px.
   * Empty if it is none of these.
   */
  static Optional<Model> named(String name) {
    Matcher matcher = NAME.matcher(name);
    return matcher.matches()
        ? Optional.of(
            of(
                Integer.parseInt(matcher.group(1)),
                Topologies.number(matcher.group(2), WIDTH),
                Topologies.number(matcher.group(3), Topologies.IMAGE_NET_CLASSES),
                Topologies.number(matcher.group(4), SIZE)))
        : Optional.empty();
  }

  /**
   * The depth of the network whose stages have so many units.
   *
   * @throws RefusedException if there is none
   */
  static int depth(List<Integer> units) {
    if (units.equals(UNITS_18)) {
      return 18;
    }
    if (units.equals(UNITS_34)) {
      return 34;
    }
    throw new RefusedException(
        "its stages have %s units; those of ResNet-18 have %s, of ResNet-34 %s"
            .formatted(units, UNITS_18, UNITS_34));
  }

  /**
   * Whether a weight of this shape can be an ImageNet ResNet's stem, [width, 3, 7, 7] in PyTorch's
   * order.
   */
  static boolean isStem(Shape shape) {
    return Topologies.isStem(shape, STEM_KERNEL);
  }
}
