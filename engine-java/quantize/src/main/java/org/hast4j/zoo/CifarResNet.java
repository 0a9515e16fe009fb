package org.hast4j.zoo;

import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;

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
    int units = (depth - 2) / 6;
    State state = ResNets.basic(width, 3, shortcut == Shortcut.B, classes, units, units, units);
    return ResNets.model(state, Assumptions.ofSize(SIZE));
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
}
