package org.hast4j.zoo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.hast4j.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Names of repositories that publish no list of them: some of each, as their code gives them. */
class NameTableTest {
  private static NameTable table(String family, String source) {
    return NameTable.of(family).stream()
        .filter(table -> table.source().equals(source))
        .findFirst()
        .orElseThrow();
  }

  @ParameterizedTest
  @EnumSource
  void everyFamilyHasTablesThatCanBeRead(Family family) {
    assertThat(family.tables()).isNotEmpty();
    assertThat(family.tables()).extracting(NameTable::source).doesNotHaveDuplicates();
  }

  @ParameterizedTest
  @CsvSource({
    "weiaicunzai/pytorch-cifar100, conv1.0.weight, conv1.weight",
    "weiaicunzai/pytorch-cifar100, conv1.1.bias, bn1.bias",
    "weiaicunzai/pytorch-cifar100, conv5_x.2.residual_function.7.running_var,"
        + " layer4.2.bn3.running_var",
    "weiaicunzai/pytorch-cifar100, conv3_x.0.shortcut.1.weight, layer2.0.downsample.1.weight",
    "prlz77/ResNeXt.pytorch, stage_3.stage_3_bottleneck_2.conv_conv.weight, layer3.2.conv2.weight",
    "prlz77/ResNeXt.pytorch, stage_1.stage_1_bottleneck_0.bn_expand.bias, layer1.0.bn3.bias",
    "prlz77/ResNeXt.pytorch, stage_1.stage_1_bottleneck_0.shortcut.shortcut_bn.bias,"
        + " layer1.0.downsample.1.bias",
    "Hugging Face's transformers, resnet.embedder.embedder.normalization.bias, bn1.bias",
    "Hugging Face's transformers, resnet.encoder.stages.3.layers.2.layer.1.convolution.weight,"
        + " layer4.2.conv2.weight",
    "Hugging Face's transformers, resnet.encoder.stages.0.layers.0.shortcut.normalization.weight,"
        + " layer1.0.downsample.1.weight",
    "Hugging Face's transformers, classifier.1.bias, fc.bias",
    "pytorchcv, features.stage4.unit3.body.conv3.bn.weight, layer4.2.bn3.weight",
    "pytorchcv, features.stage1.unit1.se.conv2.bias, layer1.0.se.fc2.bias",
    "'pytorchcv, for CIFAR', features.init_block.bn.weight, bn1.weight"
  })
  void resNets(String source, String name, String known) {
    assertThat(table("resnet", source).renamed(List.of(name))).containsEntry(name, known);
  }

  @ParameterizedTest
  @CsvSource({
    "xternalz/WideResNet-pytorch, block2.layer.0.convShortcut.weight, layer2.0.downsample.0.weight",
    "xternalz/WideResNet-pytorch, bn1.running_mean, bn.running_mean",
    "xternalz/WideResNet-pytorch, block3.layer.5.bn1.weight, layer3.5.bn1.weight",
    "meliketoy/wide-resnet.pytorch, layer1.0.shortcut.0.bias, layer1.0.downsample.0.bias",
    "pytorchcv, features.init_block.conv.weight, conv1.weight",
    "pytorchcv, features.init_block.weight, conv1.weight",
    "pytorchcv, features.init_block.bn.weight, bn0.weight",
    "pytorchcv, features.stage3.unit2.body.conv2.bn.bias, layer3.1.bn2.bias",
    "pytorchcv, features.stage3.unit1.identity_conv.weight, layer3.0.downsample.0.weight"
  })
  void preActivationResNets(String source, String name, String known) {
    assertThat(table("pre-activation-resnet", source).renamed(List.of(name)))
        .containsEntry(name, known);
  }

  @ParameterizedTest
  @CsvSource({
    "torchvision or timm, features.denseblock2.denselayer3.norm.1.bias,"
        + " features.denseblock2.denselayer3.norm1.bias",
    "andreasveit/densenet-pytorch, block1.layer.0.conv2.weight,"
        + " features.denseblock1.denselayer1.conv2.weight",
    "kuangliu/pytorch-cifar, trans2.conv.weight, features.transition2.conv.weight",
    "pytorchcv, features.stage3.trans3.conv.bn.bias, features.transition2.norm.bias",
    "pytorchcv, features.stage3.unit1.conv2.bn.bias, features.denseblock3.denselayer1.norm2.bias"
  })
  void denseNets(String source, String name, String known) {
    assertThat(table("densenet", source).renamed(List.of(name))).containsEntry(name, known);
  }

  /** The structure of these is one, a stem and a unit in each of two stages, by three names. */
  @Test
  void aPreActivationUnitIsToldFromOthers() {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    shapes.put("conv1.weight", Shape.of(16, 3, 3, 3));
    shapes.put("layer1.0.bn1.weight", Shape.of(16));
    shapes.put("layer1.0.conv1.weight", Shape.of(16, 16, 3, 3));
    shapes.put("layer2.0.shortcut.0.weight", Shape.of(32, 16, 1, 1));
    shapes.put("linear.weight", Shape.of(10, 32));
    assertThat(first(shapes)).isEqualTo("pre-activation-resnet: kuangliu/pytorch-cifar");
    shapes.put("bn1.weight", Shape.of(16));
    shapes.put("layer2.0.shortcut.1.weight", Shape.of(32));
    assertThat(first(shapes)).isEqualTo("resnet: torchvision, timm or the CIFAR repositories");
    shapes.remove("layer2.0.shortcut.1.weight");
    shapes.put("conv1.bias", Shape.of(16));
    shapes.put("layer1.0.conv1.bias", Shape.of(16));
    assertThat(first(shapes)).isEqualTo("pre-activation-resnet: meliketoy/wide-resnet.pytorch");
  }

  private static String first(Map<String, Shape> shapes) {
    for (Family family : Family.values()) {
      for (NameTable table : family.tables()) {
        if (table.fits(shapes)) {
          String name = family.name().toLowerCase(Locale.ROOT).replace('_', '-');
          return name + ": " + table.source();
        }
      }
    }
    return "none";
  }
}
