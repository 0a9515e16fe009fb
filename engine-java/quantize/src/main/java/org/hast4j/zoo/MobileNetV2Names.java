package org.hast4j.zoo;

import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.Safetensors;
import org.hast4j.model.Model;

/**
 * MobileNetV2 as torchvision names it, and this engine too, or as pytorchcv does: there a block's
 * convolutions are conv1 (the expansion, if it has one), conv2 and conv3, and the classifier may be
 * a 1x1 convolution without a bias. From pytorchcv only width 1: others have numbers of channels
 * that are not rounded to multiples of 8.
 */
final class MobileNetV2Names implements StateNames {
  private static final Pattern TORCHVISION =
      Pattern.compile("features\\.\\d+\\.(?:conv|[01])\\..+");
  private static final Pattern PYTORCHCV =
      Pattern.compile("features\\.stage[1-5]\\.unit\\d{1,2}\\.conv[123]\\..+");

  /** A part of a block: its index, that of a layer in it if it has several, and the parameter. */
  private static final Pattern BLOCK_PART =
      Pattern.compile("features\\.(\\d+)\\.conv\\.(\\d)\\.(?:([01])\\.)?(\\w+)");

  // The first block of each of pytorchcv's stages, which begin where the size is halved.
  private static final int[] FIRST_BLOCKS = {1, 2, 4, 7, 14};

  private static final String STEM = "features.0.0.weight";
  private static final String LAST_BLOCK = "features.17.conv.2.weight";
  private static final String CLASSIFIER = "classifier.1.weight";

  private final boolean pytorchcv;

  /** Whether the first block has a 1x1 convolution before its depthwise one. */
  private final boolean expanded;

  MobileNetV2Names(Set<String> names) {
    pytorchcv = names.stream().anyMatch(name -> PYTORCHCV.matcher(name).matches());
    expanded =
        names.contains(
            pytorchcv ? "features.stage1.unit1.conv1.conv.weight" : "features.1.conv.1.0.weight");
  }

  static boolean match(Set<String> names) {
    return names.stream()
        .anyMatch(name -> TORCHVISION.matcher(name).matches() || PYTORCHCV.matcher(name).matches());
  }

  @Override
  public String inFile(String name) {
    if (!pytorchcv) {
      return name;
    }
    Matcher part = BLOCK_PART.matcher(name);
    return part.matches()
        ? blockPart(part)
        : name.replaceFirst("^classifier\\.1\\.", "output.")
            .replaceFirst("^features\\.0\\.0\\.", "features.init_block.conv.")
            .replaceFirst("^features\\.0\\.1\\.", "features.init_block.bn.")
            .replaceFirst("^features\\.18\\.0\\.", "features.final_block.conv.")
            .replaceFirst("^features\\.18\\.1\\.", "features.final_block.bn.");
  }

  private String blockPart(Matcher matcher) {
    int block = Integer.parseInt(matcher.group(1));
    int stage = FIRST_BLOCKS.length;
    while (FIRST_BLOCKS[stage - 1] > block) {
      stage--;
    }
    int unit = block - FIRST_BLOCKS[stage - 1] + 1;
    // A block without an expansion begins with conv2.
    int part = Integer.parseInt(matcher.group(2)) + (block == 1 && !expanded ? 1 : 0);
    String layer =
        switch (part) {
          case 0, 1 -> "conv" + (part + 1) + (matcher.group(3).equals("0") ? ".conv" : ".bn");
          case 2 -> "conv3.conv";
          default -> "conv3.bn";
        };
    // Concatenated, not formatted: names are compared, and a locale may have digits of its own.
    return "features.stage" + stage + ".unit" + unit + "." + layer + "." + matcher.group(4);
  }

  @Override
  public Model model(Map<String, Safetensors.Tensor> tensors, OptionalInt size) {
    need("MobileNetV2", tensors, STEM, LAST_BLOCK, CLASSIFIER);
    int channels = channels(tensors, LAST_BLOCK, 0);
    if (pytorchcv && channels != MobileNetV2.BOTTLENECK) {
      throw new RefusedException(
          "%s gives %d channels, expected %d: MobileNetV2s from pytorchcv are read at width 1 only"
              .formatted(tensors.get(inFile(LAST_BLOCK)).name(), channels, MobileNetV2.BOTTLENECK));
    }
    return MobileNetV2.of(
        MobileNetV2.width(channels),
        channels(tensors, CLASSIFIER, 0),
        size.orElse(Topologies.IMAGE_NET_SIZE),
        expanded ? MobileNetV2.FirstBlock.EXPANDED : MobileNetV2.FirstBlock.PLAIN);
  }
}
