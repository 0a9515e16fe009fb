package org.hast4j.nn;

import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.tensor.Shape;

/**
 * ResNets for CIFAR and ImageNet in torchvision's style (layer1.0.conv1) with the classifier called
 * fc, linear or output, or as in pytorchcv (features.stage1.unit1.body).
 */
record ResNetNames() implements StateNames {
  private static final Pattern UNIT_CONVOLUTION =
      Pattern.compile("layer(\\d{1,9})\\.(\\d{1,9})\\.conv1\\.weight");
  private static final Pattern BOTTLENECK = Pattern.compile("layer\\d+\\.\\d+\\.conv3\\.weight");
  private static final Pattern PYTORCHCV_UNIT =
      Pattern.compile("features\\.stage(\\d{1,9})\\.unit(\\d{1,9})\\.(.*)");
  private static final String STEM = "conv1.weight";
  private static final String CLASSIFIER = "fc.weight";

  @Override
  public String canonical(String name) {
    String n = name.replaceFirst("^(linear|output)\\.", "fc.");
    n =
        n.replaceFirst("^features\\.init_block\\.(conv\\.)?bn\\.", "bn1.")
            .replaceFirst("^features\\.init_block\\.conv\\.(conv\\.)?", "conv1.");
    Matcher matcher = PYTORCHCV_UNIT.matcher(n);
    if (!matcher.matches()) {
      return n;
    }
    String rest =
        matcher
            .group(3)
            .replaceFirst("^body\\.conv(\\d+)\\.conv\\.", "conv$1.")
            .replaceFirst("^body\\.conv(\\d+)\\.bn\\.", "bn$1.")
            .replaceFirst("^identity_conv\\.conv\\.", "downsample.0.")
            .replaceFirst("^identity_conv\\.bn\\.", "downsample.1.");
    // Concatenated, not formatted: names are compared, and a locale may have digits of its own.
    return "layer" + matcher.group(1) + "." + (Integer.parseInt(matcher.group(2)) - 1) + "." + rest;
  }

  @Override
  public Topology topology(Map<String, Shape> tensors, OptionalInt size) {
    Shape stem = tensors.get(STEM);
    boolean cifar = stem != null && CifarResNet.isStem(stem);
    boolean imageNet = stem != null && ImageNetResNet.isStem(stem);
    if (!tensors.containsKey(CLASSIFIER) || !cifar && !imageNet) {
      throw new IllegalArgumentException(
          "it is no ResNet and no MobileNet: for a ResNet, conv1.weight [width, 3, 3, 3] (for"
              + " CIFAR) or [width, 3, 7, 7] (for ImageNet) and fc.weight are needed, found "
              + tensors.keySet().stream().limit(6).toList());
    }
    int width = StateNames.channels(tensors, STEM, 0);
    int classes = StateNames.channels(tensors, CLASSIFIER, 0);
    List<Integer> units = units(tensors.keySet());
    if (imageNet) {
      int depth = ImageNetResNet.depth(units);
      return ImageNetResNet.of(depth, width, classes, size.orElse(ImageNetResNet.SIZE));
    }
    if (size.isPresent() && size.getAsInt() != CifarResNet.SIZE) {
      throw new IllegalArgumentException(
          "its metadata input_size is %d; a CIFAR ResNet takes %d"
              .formatted(size.getAsInt(), CifarResNet.SIZE));
    }
    boolean convolution =
        tensors.keySet().stream().anyMatch(name -> name.contains(".downsample.0."));
    return CifarResNet.of(
        CifarResNet.depth(units),
        width,
        classes,
        convolution ? CifarResNet.Shortcut.B : CifarResNet.Shortcut.A);
  }

  /** Number of residual units of each stage. */
  private static List<Integer> units(Set<String> names) {
    SortedMap<Integer, Integer> units = new TreeMap<>();
    for (String name : names) {
      if (BOTTLENECK.matcher(name).matches()) {
        throw new IllegalArgumentException(
            "its residual units have three convolutions (%s), as in ResNet-50: only ResNets of two are known"
                .formatted(name));
      }
      Matcher matcher = UNIT_CONVOLUTION.matcher(name);
      if (matcher.matches()) {
        units.merge(Integer.parseInt(matcher.group(1)), 1, Integer::sum);
      }
    }
    if (units.isEmpty() || units.firstKey() != 1 || units.lastKey() != units.size()) {
      throw new IllegalArgumentException(
          "its stages %s are not numbered from 1 on".formatted(units.keySet()));
    }
    return List.copyOf(units.values());
  }
}
