package org.hast4j.zoo;

import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.Safetensors;
import org.hast4j.model.Model;

/**
 * ResNets for CIFAR and ImageNet in torchvision's style (layer1.0.conv1) or in pytorchcv's
 * (features.stage1.unit1.body), with the classifier called fc, linear or output.
 */
final class ResNetNames implements StateNames {
  /** A unit's first convolution, or its third if it has one, in either style. */
  private static final Pattern UNIT_CONVOLUTION =
      Pattern.compile(
          "(?:layer|features\\.stage)(\\d{1,9})\\.(?:unit)?\\d{1,9}\\.(?:body\\.)?conv([13])\\.(?:conv\\.)?weight");

  private static final Pattern UNIT_PART = Pattern.compile("layer(\\d+)\\.(\\d+)\\.(.*)");
  private static final String STEM = "conv1.weight";
  private static final String CLASSIFIER = "fc.weight";
  private static final String SHORTCUT = "layer2.0.downsample.0.weight";

  private final boolean pytorchcv;
  private final String classifier;
  private final String initBlock;

  ResNetNames(Set<String> names) {
    pytorchcv =
        names.stream().anyMatch(name -> name.startsWith("features.stage"))
            && names.stream().noneMatch(name -> name.startsWith("layer"));
    classifier =
        Stream.of("fc.", "linear.", "output.")
            .filter(prefix -> names.stream().anyMatch(name -> name.startsWith(prefix)))
            .findFirst()
            .orElse(pytorchcv ? "output." : "fc.");
    // ImageNet's stem is a block of a block there.
    initBlock =
        names.contains("features.init_block.conv.conv.weight")
            ? "features.init_block.conv."
            : "features.init_block.";
  }

  @Override
  public String inFile(String name) {
    String n = name.replaceFirst("^fc\\.", classifier);
    if (!pytorchcv) {
      return n;
    }
    Matcher matcher = UNIT_PART.matcher(n);
    if (!matcher.matches()) {
      return n.replaceFirst("^conv1\\.", initBlock + "conv.")
          .replaceFirst("^bn1\\.", initBlock + "bn.");
    }
    String part =
        matcher
            .group(3)
            .replaceFirst("^conv(\\d)\\.", "body.conv$1.conv.")
            .replaceFirst("^bn(\\d)\\.", "body.conv$1.bn.")
            .replaceFirst("^downsample\\.0\\.", "identity_conv.conv.")
            .replaceFirst("^downsample\\.1\\.", "identity_conv.bn.");
    int unit = Integer.parseInt(matcher.group(2)) + 1;
    // Concatenated, not formatted: names are compared, and a locale may have digits of its own.
    return "features.stage" + matcher.group(1) + ".unit" + unit + "." + part;
  }

  @Override
  public Model model(Map<String, Safetensors.Tensor> tensors, OptionalInt size) {
    Safetensors.Tensor stem = tensors.get(inFile(STEM));
    boolean cifar = stem != null && CifarResNet.isStem(stem.shape());
    boolean imageNet = stem != null && ImageNetResNet.isStem(stem.shape());
    if (!tensors.containsKey(inFile(CLASSIFIER)) || !cifar && !imageNet) {
      throw new RefusedException(
          "it is no ResNet and no MobileNet: for a ResNet, %s [width, 3, 3, 3] (for CIFAR) or [width, 3, 7, 7] (for ImageNet) and %s are needed, found %s"
              .formatted(inFile(STEM), inFile(CLASSIFIER), StateNames.found(tensors)));
    }
    int width = channels(tensors, STEM, 0);
    int classes = channels(tensors, CLASSIFIER, 0);
    List<Integer> units = units(tensors.keySet());
    if (imageNet) {
      int depth = ImageNetResNet.depth(units);
      return ImageNetResNet.of(depth, width, classes, size.orElse(ImageNetResNet.SIZE));
    }
    if (size.isPresent() && size.getAsInt() != CifarResNet.SIZE) {
      throw new RefusedException(
          "its metadata input_size is %d; a CIFAR ResNet takes %d"
              .formatted(size.getAsInt(), CifarResNet.SIZE));
    }
    return CifarResNet.of(
        CifarResNet.depth(units),
        width,
        classes,
        tensors.containsKey(inFile(SHORTCUT)) ? CifarResNet.Shortcut.B : CifarResNet.Shortcut.A);
  }

  /** Number of residual units of each stage. */
  private static List<Integer> units(Set<String> names) {
    SortedMap<Integer, Integer> units = new TreeMap<>();
    for (String name : names) {
      Matcher matcher = UNIT_CONVOLUTION.matcher(name);
      if (!matcher.matches()) {
        continue;
      }
      if (matcher.group(2).equals("3")) {
        throw new RefusedException(
            "its residual units have three convolutions (%s), as in ResNet-50: only ResNets of two are known"
                .formatted(name));
      }
      units.merge(Integer.parseInt(matcher.group(1)), 1, Integer::sum);
    }
    if (units.isEmpty() || units.firstKey() != 1 || units.lastKey() != units.size()) {
      throw new RefusedException(
          "its stages %s are not numbered from 1 on".formatted(units.keySet()));
    }
    return List.copyOf(units.values());
  }
}
