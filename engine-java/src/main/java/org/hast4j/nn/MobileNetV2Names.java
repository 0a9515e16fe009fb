package org.hast4j.nn;

import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.tensor.Shape;

/**
 * MobileNetV2 as torchvision names it, and this engine too, or as pytorchcv does: there a block's
 * convolutions are conv1 (the expansion, if it has one), conv2 and conv3, and the classifier may be
 * a 1x1 convolution without a bias.
 */
final class MobileNetV2Names implements StateNames {
  private static final Pattern TORCHVISION =
      Pattern.compile("features\\.\\d+\\.(?:conv|[01])\\..+");
  private static final Pattern PYTORCHCV =
      Pattern.compile(
          "features\\.stage([1-5])\\.unit(\\d{1,2})\\.conv([123])\\.(conv|bn)\\.([a-z_]+)");
  // Blocks before each of pytorchcv's stages, which begin where the size is halved.
  private static final int[] BLOCKS_BEFORE = {0, 1, 3, 6, 13};
  private static final String EXPANSION = "features.stage1.unit1.conv1.conv.weight";

  private static final String STEM = "features.0.0.weight";
  private static final String LAST_BLOCK = "features.17.conv.2.weight";
  private static final String CLASSIFIER = "classifier.1.weight";

  /** The first block's depthwise convolution if it has a 1x1 convolution before it. */
  private static final String SECOND_CONVOLUTION = "features.1.conv.1.0.weight";

  private final boolean expanded;

  MobileNetV2Names(Set<String> names) {
    expanded = names.contains(EXPANSION);
  }

  static boolean match(Set<String> names) {
    return names.stream()
        .anyMatch(name -> TORCHVISION.matcher(name).matches() || PYTORCHCV.matcher(name).matches());
  }

  @Override
  public String canonical(String name) {
    String n =
        name.replaceFirst("^output\\.", "classifier.1.")
            .replaceFirst("^features\\.init_block\\.conv\\.", "features.0.0.")
            .replaceFirst("^features\\.init_block\\.bn\\.", "features.0.1.")
            .replaceFirst("^features\\.final_block\\.conv\\.", "features.18.0.")
            .replaceFirst("^features\\.final_block\\.bn\\.", "features.18.1.");
    Matcher matcher = PYTORCHCV.matcher(n);
    if (!matcher.matches()) {
      return n;
    }
    int block =
        BLOCKS_BEFORE[Integer.parseInt(matcher.group(1)) - 1] + Integer.parseInt(matcher.group(2));
    // torchvision counts a block's convolutions from 0, and the projection has no activation.
    int first = block == 1 && !expanded ? 2 : 1;
    int convolution = Integer.parseInt(matcher.group(3)) - first;
    boolean norm = matcher.group(4).equals("bn");
    String part =
        matcher.group(3).equals("3")
            ? Integer.toString(convolution + (norm ? 1 : 0))
            : convolution + (norm ? ".1" : ".0");
    return "features." + block + ".conv." + part + "." + matcher.group(5);
  }

  @Override
  public Topology topology(Map<String, Shape> tensors, OptionalInt size) {
    StateNames.need("MobileNetV2", tensors, STEM, LAST_BLOCK, CLASSIFIER);
    return MobileNetV2.of(
        MobileNetV2.width(StateNames.channels(tensors, LAST_BLOCK, 0)),
        StateNames.channels(tensors, CLASSIFIER, 0),
        size.orElse(Topologies.IMAGE_NET_SIZE),
        tensors.containsKey(SECOND_CONVOLUTION)
            ? MobileNetV2.FirstBlock.EXPANDED
            : MobileNetV2.FirstBlock.PLAIN);
  }
}
