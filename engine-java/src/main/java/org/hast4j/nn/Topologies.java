package org.hast4j.nn;

import org.hast4j.tensor.Shape;

/** The built-in topologies by name. */
public final class Topologies {
  // Bounds on what a file may ask for, far beyond any network in use.
  private static final int MAX_WIDTH = 1024;
  private static final int MAX_CLASSES = 100_000;

  private Topologies() {}

  /**
   * Parses a name as {@link Topology#name} gives it.
   *
   * @throws IllegalArgumentException if it is none, or names a network that cannot be
   */
  public static Topology named(String name) {
    return CifarResNet.named(name)
        .or(() -> ImageNetResNet.named(name))
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "unknown topology '"
                        + name
                        + "': known are cifar-resnet{20,32,44,56,..}-{a,b}[-classes] and"
                        + " resnet{18,34}[-classes][-<size>px]"));
  }

  /** Whether a weight of this shape, in PyTorch's order, reads an RGB image with such a kernel. */
  static boolean isStem(Shape shape, int kernel) {
    return shape.rank() == 4
        && shape.size(1) == 3
        && shape.size(2) == kernel
        && shape.size(3) == kernel;
  }

  /**
   * Refuses what no file should ask for.
   *
   * @throws IllegalArgumentException if the width or the number of classes is out of bounds
   */
  static void check(int width, int classes) {
    if (width < 1 || width > MAX_WIDTH) {
      throw new IllegalArgumentException("the width must be 1 to " + MAX_WIDTH + ", got " + width);
    }
    if (classes < 2 || classes > MAX_CLASSES) {
      throw new IllegalArgumentException(
          "the number of classes must be 2 to " + MAX_CLASSES + ", got " + classes);
    }
  }
}
