package org.hast4j.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.hast4j.failure.RefusedException;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.forward.Parameters;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.nn.AlignmentTaps;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The structure of the ImageNet ResNets: numbers from torchvision's models. */
class ImageNetResNetTest {
  @ParameterizedTest
  @CsvSource({"18, 11689512, 20, 17, 8", "34, 21797672, 36, 33, 16"})
  void parts(int depth, long parameters, int norms, int quantizers, int taps) {
    Model model = ImageNetResNet.of(depth, 64, 1000, 224);
    ParameterLayout layout = ParameterLayout.parameters(model);
    assertThat(
            layout.names().stream()
                .mapToLong(name -> layout.get(name).type().shape().elements())
                .sum())
        .isEqualTo(parameters);
    assertThat(model.names(Operator.BatchNorm.class).size()).isEqualTo(norms);
    assertThat(Parameters.weightNames(model)).hasSize(norms + 1).endsWith("fc.weight");
    assertThat(model.names(Operator.Activation.class).size()).isEqualTo(quantizers);
    assertThat(AlignmentTaps.of(model)).hasSize(taps);
    assertThat(model.input().height()).isEqualTo(224);
    assertThat(model.input().width()).isEqualTo(224);
  }

  @Test
  void tapsEndTheBodies() {
    Model model = ImageNetResNet.of(18, 64, 1000, 224);
    assertThat(AlignmentTaps.of(model))
        .containsExactly(
            "layer1.0.bn2",
            "layer1.1.bn2",
            "layer2.0.bn2",
            "layer2.1.bn2",
            "layer3.0.bn2",
            "layer3.1.bn2",
            "layer4.0.bn2",
            "layer4.1.bn2");
  }

  /** Names and sizes of torchvision's state dictionary, in this engine's order. */
  @Test
  void tensorsAreTorchvisions() {
    ParameterLayout layout = ParameterLayout.parameters(ImageNetResNet.of(18, 64, 1000, 224));
    assertThat(layout.get("conv1.weight").type().shape().sizes()).containsExactly(64, 7, 7, 3);
    assertThat(layout.get("layer4.1.conv2.weight").type().shape().sizes())
        .containsExactly(512, 3, 3, 512);
    assertThat(layout.get("layer2.0.downsample.0.weight").type().shape().sizes())
        .containsExactly(128, 1, 1, 64);
    assertThat(layout.get("layer2.0.downsample.1.bias").type().shape().sizes())
        .containsExactly(128);
    assertThat(layout.get("fc.weight").type().shape().sizes()).containsExactly(1000, 512);
    assertThat(layout.names().stream().filter(name -> name.contains("downsample.0")))
        .containsExactly(
            "layer2.0.downsample.0.weight",
            "layer3.0.downsample.0.weight",
            "layer4.0.downsample.0.weight");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "resnet18",
        "resnet34",
        "resnet18-100",
        "resnet18-256px",
        "resnet34-w16",
        "resnet18-w8-10-64px"
      })
  void namesComeBack(String name) {
    assertThat(Topologies.named(name).name()).isEqualTo(name);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "resnet50",
        "resnet18-b",
        "resnet18-w0",
        "resnet18-1",
        "resnet18-31px",
        "resnet18-1025px",
        "resnet18-64px-10",
        "Resnet18"
      })
  void otherNamesAreRefused(String name) {
    assertThatThrownBy(() -> Topologies.named(name)).isInstanceOf(RefusedException.class);
  }

  @Test
  void otherDepthsAreRefused() {
    assertThatThrownBy(() -> ImageNetResNet.of(50, 64, 1000, 224)).hasMessageContaining("50");
  }
}
