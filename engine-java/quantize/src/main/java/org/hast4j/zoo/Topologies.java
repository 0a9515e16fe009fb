package org.hast4j.zoo;

import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;

/** The built-in topologies by name. */
public final class Topologies {
  /** Input height and width of ImageNet networks unless a file says otherwise, pixels. */
  static final int IMAGE_NET_SIZE = 224;

  /** Classes of ImageNet. */
  static final int IMAGE_NET_CLASSES = 1000;

  /** What {@link #suffix} gives, for patterns of names: two groups. */
  static final String SUFFIX = "(?:-(\\d{1,6}))?(?:-(\\d{1,4})px)?";

  // ImageNet networks divide the size by 32.
  private static final int MIN_IMAGE_NET_SIZE = 32;
  // Bounds on what a file may ask for, far beyond any network in use.
  private static final int MAX_IMAGE_NET_SIZE = 1024;
  private static final int MAX_WIDTH = 1024;
  private static final int MAX_CLASSES = 100_000;

  private Topologies() {}

  /**
   * Parses a name as {@link Model#name} gives it.
   *
   * @throws RefusedException if it is none, or names a network that cannot be
   */
  public static Model named(String name) {
    return CifarResNet.named(name)
        .or(() -> ImageNetResNet.named(name))
        .or(() -> MobileNetV1.named(name))
        .or(() -> MobileNetV2.named(name))
        .orElseThrow(
            () ->
                new RefusedException(
                    "unknown topology '"
                        + name
                        + "': known are cifar-resnet{20,32,44,56,..}-{a,b}[-classes],"
                        + " resnet{18,34}[-classes][-<size>px], mobilenetv1 and"
                        + " mobilenetv2[-expanded] (both [-w<multiplier>][-classes][-<size>px])"));
  }

  /** Whether a model is what {@link #named} gives for its name. */
  public static boolean isBuiltIn(Model model) {
    try {
      return named(model.name()).equals(model);
    } catch (RefusedException _) {
      return false;
    }
  }

  /**
   * Refuses what no file should ask for.
   *
   * @throws RefusedException if the width or the number of classes is out of bounds
   */
  static void check(int width, int classes) {
    if (width < 1 || width > MAX_WIDTH) {
      throw new RefusedException("the width must be 1 to " + MAX_WIDTH + ", got " + width);
    }
    checkClasses(classes);
  }

  /**
   * Refuses sizes that an ImageNet network cannot take, or no file should ask for.
   *
   * @param size input height and width, pixels
   * @throws RefusedException if it is out of bounds
   */
  static void checkImageNetSize(int size) {
    if (size < MIN_IMAGE_NET_SIZE || size > MAX_IMAGE_NET_SIZE) {
      throw new RefusedException(
          "the input size must be %d to %d pixels, got %d"
              .formatted(MIN_IMAGE_NET_SIZE, MAX_IMAGE_NET_SIZE, size));
    }
  }

  /**
   * What the name of an ImageNet network ends with: the number of classes and the input size, where
   * they are not ImageNet's.
   */
  static String suffix(int classes, int size) {
    // Concatenated, not formatted: the name is parsed again, and a locale may have digits of its
    // own.
    return (classes == IMAGE_NET_CLASSES ? "" : "-" + classes)
        + (size == IMAGE_NET_SIZE ? "" : "-" + size + "px");
  }

  /** A number in a name, if it is there. */
  static int number(String text, int otherwise) {
    return text == null ? otherwise : Integer.parseInt(text);
  }

  /**
   * Refuses what no file should ask for.
   *
   * @throws RefusedException if the number of classes is out of bounds
   */
  static void checkClasses(int classes) {
    if (classes < 2 || classes > MAX_CLASSES) {
      throw new RefusedException(
          "the number of classes must be 2 to " + MAX_CLASSES + ", got " + classes);
    }
  }
}
