package org.hast4j.zoo;

import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.Shape;

/**
 * The ResNets for 32 by 32 images of He et al. 2016, section 4.2: a 3x3 stem, three stages of n
 * residual units with width, twice and four times the width, global average pooling and a linear
 * classifier. Depth 6n + 2.
 */
public final class CifarResNet {
  /** Input height and width, pixels. */
  public static final int SIZE = 32;

  // A bound on what a file may ask for, far beyond any network in use.
  private static final int MAX_DEPTH = 1202;
  private static final Pattern NAME =
      Pattern.compile("cifar-resnet(\\d{1,4})(?:-w(\\d{1,4}))?-([ab])(?:-(\\d{1,6}))?");

  private CifarResNet() {}

  /** How a unit that changes shape carries its input over. */
  public enum Shortcut {
    /** Subsampling and zero channels, no parameters. */
    A,
    /** A 1x1 convolution and BatchNorm. */
    B
  }

  /**
   * A CIFAR ResNet.
   *
   * @param depth 6n + 2: 20, 32, 44, 56, .. up to 1202
   * @param width channels of the first stage, 1 to 1024; 16 in the paper
   * @param classes 2 to 100000
   * @throws RefusedException if one of them is not
   */
  public static Model of(int depth, int width, int classes, Shortcut shortcut) {
    if (depth < 8 || (depth - 2) % 6 != 0) {
      throw new RefusedException(
          "the depth of a CIFAR ResNet is 6n + 2 (20, 32, 44, 56, ..), got " + depth);
    }
    if (depth > MAX_DEPTH) {
      throw new RefusedException("the depth must be at most " + MAX_DEPTH + ", got " + depth);
    }
    Topologies.check(width, classes);
    Model.Builder net = new Model.Builder(new Model.Input(SIZE, SIZE, 3));
    String x = net.add("conv1", new Operator.Convolution(3, width, 3, 1, 1), Model.IMAGE);
    x = net.add("bn1", new Operator.BatchNorm(width), x);
    x = net.add("relu", new Operator.Activation(ActivationFunction.relu()), x);
    int units = (depth - 2) / 6;
    x = BasicBlocks.append(net, x, width, shortcut, units, units, units);
    x = net.add("pool", new Operator.GlobalAveragePool(), x);
    net.add("fc", new Operator.Linear(4L * width, classes), x);
    // Concatenated, not formatted: the name is parsed again, and a locale may have digits of its
    // own.
    String name =
        "cifar-resnet"
            + depth
            + (width == 16 ? "" : "-w" + width)
            + "-"
            + shortcut.name().toLowerCase(Locale.ROOT)
            + (classes == 10 ? "" : "-" + classes);
    return net.build(name);
  }

  /**
   * Parses a name as {@link Model#name} gives it: cifar-resnet20-b, cifar-resnet56-a-100,
   * cifar-resnet20-w4-b. Empty if it is none of these.
   */
  static Optional<Model> named(String name) {
    Matcher matcher = NAME.matcher(name);
    return matcher.matches()
        ? Optional.of(
            of(
                Integer.parseInt(matcher.group(1)),
                Topologies.number(matcher.group(2), 16),
                Topologies.number(matcher.group(4), 10),
                Shortcut.valueOf(matcher.group(3).toUpperCase(Locale.ROOT))))
        : Optional.empty();
  }

  /**
   * The depth of the network whose stages have so many units.
   *
   * @throws RefusedException if there is none
   */
  static int depth(List<Integer> units) {
    int each = units.getFirst();
    if (!units.equals(List.of(each, each, each))) {
      throw new RefusedException(
          "its stages have %s units; a CIFAR ResNet has three stages of the same number"
              .formatted(units));
    }
    return 6 * each + 2;
  }

  /**
   * Whether a weight of this shape can be a CIFAR ResNet's stem, [width, 3, 3, 3] in PyTorch's
   * order.
   */
  static boolean isStem(Shape shape) {
    return Topologies.isStem(shape, 3);
  }
}
