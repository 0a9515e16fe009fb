package org.hast4j.zoo;

import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;

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
    int[] stages = units.stream().mapToInt(Integer::intValue).toArray();
    State state = ResNets.basic(width, STEM_KERNEL, true, classes, stages);
    return ResNets.model(state, Assumptions.ofSize(size));
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
}
