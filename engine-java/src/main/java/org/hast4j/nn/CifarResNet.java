package org.hast4j.nn;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.tensor.Shape;

/**
 * The ResNets for 32 by 32 images of He et al. 2016, section 4.2: a 3x3 stem, three stages of n
 * residual units with width, twice and four times the width, global average pooling and a linear
 * classifier. Depth 6n + 2.
 */
public final class CifarResNet {
  private static final float EPSILON = 1e-5f;
  private static final int SIZE = 32;
  private static final int STAGES = 3;
  // Bounds on what a file may ask for, far beyond any network in use.
  private static final int MAX_DEPTH = 1202;
  private static final int MAX_WIDTH = 1024;
  private static final int MAX_CLASSES = 100_000;
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
   * @throws IllegalArgumentException if one of them is not
   */
  public static Topology of(int depth, int width, int classes, Shortcut shortcut) {
    if (depth < 8 || (depth - 2) % 6 != 0) {
      throw new IllegalArgumentException(
          "the depth of a CIFAR ResNet is 6n + 2 (20, 32, 44, 56, ..), got " + depth);
    }
    if (depth > MAX_DEPTH) {
      throw new IllegalArgumentException(
          "the depth must be at most " + MAX_DEPTH + ", got " + depth);
    }
    if (width < 1 || width > MAX_WIDTH) {
      throw new IllegalArgumentException("the width must be 1 to " + MAX_WIDTH + ", got " + width);
    }
    if (classes < 2 || classes > MAX_CLASSES) {
      throw new IllegalArgumentException(
          "the number of classes must be 2 to " + MAX_CLASSES + ", got " + classes);
    }
    Topology.Builder net = new Topology.Builder();
    int x = net.add("conv1", new Layer.Convolution(3, width, 3, 1, 1), Topology.IMAGE);
    x = net.add("bn1", new Layer.BatchNorm(width, EPSILON), x);
    x = net.add("relu", new Layer.Relu(), x);
    long inputs = width;
    for (int stage = 1; stage <= STAGES; stage++) {
      long outputs = (long) width << (stage - 1);
      for (int unit = 0; unit < (depth - 2) / 6; unit++) {
        int stride = stage > 1 && unit == 0 ? 2 : 1;
        x = unit(net, "layer" + stage + "." + unit, x, inputs, outputs, stride, shortcut);
        inputs = outputs;
      }
    }
    x = net.add("pool", new Layer.GlobalAveragePool(), x);
    net.add("fc", new Layer.Linear(inputs, classes), x);
    // Concatenated, not formatted: the name is parsed again, and a locale may have digits of its
    // own.
    String name =
        "cifar-resnet"
            + depth
            + (width == 16 ? "" : "-w" + width)
            + "-"
            + shortcut.name().toLowerCase(Locale.ROOT)
            + (classes == 10 ? "" : "-" + classes);
    return new Topology(name, SIZE, SIZE, 3, classes, net.units());
  }

  private static int unit(
      Topology.Builder net,
      String name,
      int x,
      long inputs,
      long outputs,
      int stride,
      Shortcut shortcut) {
    int carried = x;
    if (stride != 1 || inputs != outputs) {
      carried =
          switch (shortcut) {
            case A -> net.add(name + ".shortcut", new Layer.PadShortcut(stride, outputs), x);
            case B -> {
              int conv =
                  net.add(
                      name + ".downsample.0",
                      new Layer.Convolution(inputs, outputs, 1, stride, 0),
                      x);
              yield net.add(name + ".downsample.1", new Layer.BatchNorm(outputs, EPSILON), conv);
            }
          };
    }
    int y = net.add(name + ".conv1", new Layer.Convolution(inputs, outputs, 3, stride, 1), x);
    y = net.add(name + ".bn1", new Layer.BatchNorm(outputs, EPSILON), y);
    y = net.add(name + ".relu1", new Layer.Relu(), y);
    y = net.add(name + ".conv2", new Layer.Convolution(outputs, outputs, 3, 1, 1), y);
    y = net.add(name + ".bn2", new Layer.BatchNorm(outputs, EPSILON), y);
    y = net.add(name + ".add", new Layer.Add(), y, carried);
    return net.add(name + ".relu2", new Layer.Relu(), y);
  }

  /**
   * Parses a name as {@link Topology#name} gives it: cifar-resnet20-b, cifar-resnet56-a-100,
   * cifar-resnet20-w4-b.
   */
  public static Topology named(String name) {
    Matcher matcher = NAME.matcher(name);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "unknown topology '"
              + name
              + "': known are cifar-resnet{20,32,44,56,..}-{a,b}[-classes]");
    }
    return of(
        Integer.parseInt(matcher.group(1)),
        matcher.group(2) == null ? 16 : Integer.parseInt(matcher.group(2)),
        matcher.group(4) == null ? 10 : Integer.parseInt(matcher.group(4)),
        Shortcut.valueOf(matcher.group(3).toUpperCase(Locale.ROOT)));
  }

  /**
   * Whether a weight of this shape can be a CIFAR ResNet's stem, [width, 3, 3, 3] in PyTorch's
   * order.
   */
  static boolean isStem(Shape shape) {
    return shape.rank() == 4 && shape.size(1) == 3 && shape.size(2) == 3 && shape.size(3) == 3;
  }
}
