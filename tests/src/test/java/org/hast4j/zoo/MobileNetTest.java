package org.hast4j.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.hast4j.failure.RefusedException;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.forward.Parameters;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.nn.AlignmentTaps;
import org.hast4j.tensor.ActivationFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The structure of the MobileNets. Numbers of parameters as published: of MobileNetV1 by pytorchcv,
 * of MobileNetV2 by torchvision (1.0) and pytorchcv (expanded, where the classifier's 1000 biases
 * are missing).
 */
class MobileNetTest {
  private static long parameters(Model model) {
    ParameterLayout layout = ParameterLayout.parameters(model);
    return layout.names().stream()
        .mapToLong(name -> layout.get(name).type().shape().elements())
        .sum();
  }

  private static List<String> taps(Model model) {
    return AlignmentTaps.of(model);
  }

  private static long count(Model model, Class<? extends Operator> op) {
    return model.names(op).size();
  }

  private static long depthwise(Model model) {
    return model.layers().stream()
        .filter(layer -> layer.op() instanceof Operator.Convolution conv && conv.isDepthwise())
        .count();
  }

  /** Output channels of the convolutions that mix channels, without expansions. */
  private static List<Long> channels(Model model) {
    return model.layers().stream()
        .filter(unit -> !unit.name().contains(".conv.0."))
        .map(Layer::op)
        .filter(Operator.Convolution.class::isInstance)
        .map(Operator.Convolution.class::cast)
        .filter(conv -> !conv.isDepthwise())
        .map(Operator.Convolution::outputs)
        .distinct()
        .toList();
  }

  @ParameterizedTest
  @CsvSource({
    "mobilenetv1, 4231976",
    "mobilenetv1-w0.75, 2585560",
    "mobilenetv1-w0.5, 1331592",
    "mobilenetv1-w0.25, 470072"
  })
  void partsOfV1(String name, long parameters) {
    Model model = Topologies.named(name);
    assertThat(parameters(model)).isEqualTo(parameters);
    assertThat(model.names(Operator.BatchNorm.class).size()).isEqualTo(27);
    assertThat(model.names(Operator.Activation.class).size()).isEqualTo(27);
    assertThat(depthwise(model)).isEqualTo(13);
    assertThat(Parameters.weightNames(model))
        .hasSize(28)
        .contains("features.stage1.unit1.dw_conv.conv.weight")
        .endsWith("output.weight");
    assertThat(model.layers())
        .extracting(Layer::op)
        .contains(new Operator.Activation(ActivationFunction.relu()))
        .doesNotContain(new Operator.Activation(ActivationFunction.boundedRelu(6)));
  }

  @ParameterizedTest
  @CsvSource({"mobilenetv2, 3504872, 52, 35", "mobilenetv2-expanded, 3505960, 53, 36"})
  void partsOfV2(String name, long parameters, int convolutions, int quantizers) {
    Model model = Topologies.named(name);
    assertThat(parameters(model)).isEqualTo(parameters);
    assertThat(model.names(Operator.BatchNorm.class).size()).isEqualTo(convolutions);
    assertThat(model.names(Operator.Activation.class).size()).isEqualTo(quantizers);
    assertThat(depthwise(model)).isEqualTo(17);
    assertThat(count(model, Operator.Add.class)).isEqualTo(10);
    assertThat(Parameters.weightNames(model))
        .hasSize(convolutions + 1)
        .contains("features.1.conv.0.0.weight")
        .endsWith("classifier.1.weight");
    assertThat(model.layers())
        .extracting(Layer::op)
        .contains(new Operator.Activation(ActivationFunction.boundedRelu(6)))
        .doesNotContain(new Operator.Activation(ActivationFunction.relu()));
  }

  /** After the BatchNorm of every 1x1 convolution behind a depthwise one, and nowhere else. */
  @Test
  void tapsOfV1EndTheUnits() {
    int[] units = {1, 2, 2, 6, 2};
    List<String> expected =
        IntStream.rangeClosed(1, 5)
            .boxed()
            .flatMap(
                stage ->
                    IntStream.rangeClosed(1, units[stage - 1])
                        .mapToObj(
                            unit -> "features.stage%d.unit%d.pw_conv.bn".formatted(stage, unit)))
            .toList();
    assertThat(taps(Topologies.named("mobilenetv1"))).hasSize(13).isEqualTo(expected);
  }

  /** The linear bottlenecks, with an add behind them or without; not the last 1x1 convolution. */
  @ParameterizedTest
  @ValueSource(strings = {"mobilenetv2", "mobilenetv2-expanded"})
  void tapsOfV2AreTheLinearBottlenecks(String name) {
    String first = name.endsWith("expanded") ? "features.1.conv.3" : "features.1.conv.2";
    List<String> expected =
        IntStream.rangeClosed(1, 17)
            .mapToObj(block -> block == 1 ? first : "features." + block + ".conv.3")
            .toList();
    assertThat(taps(Topologies.named(name))).isEqualTo(expected);
  }

  @Test
  void tensorsOfV2AreTorchvisions() {
    ParameterLayout layout = ParameterLayout.parameters(Topologies.named("mobilenetv2"));
    assertThat(layout.get("features.0.0.weight").type().shape().sizes())
        .containsExactly(32, 3, 3, 3);
    assertThat(layout.get("features.1.conv.0.0.weight").type().shape().sizes())
        .containsExactly(32, 3, 3, 1);
    assertThat(layout.get("features.1.conv.1.weight").type().shape().sizes())
        .containsExactly(16, 1, 1, 32);
    assertThat(layout.get("features.4.conv.0.0.weight").type().shape().sizes())
        .containsExactly(144, 1, 1, 24);
    assertThat(layout.get("features.17.conv.2.weight").type().shape().sizes())
        .containsExactly(320, 1, 1, 960);
    assertThat(layout.get("features.18.1.bias").type().shape().sizes()).containsExactly(1280);
    assertThat(layout.get("classifier.1.weight").type().shape().sizes())
        .containsExactly(1000, 1280);
  }

  /** Multiples of 8 that are never more than a tenth too small. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ':',
      value = {
        "0.35: 16, 8, 24, 32, 56, 112, 1280",
        "0.5: 16, 8, 32, 48, 80, 160, 1280",
        "1.4: 48, 24, 32, 88, 136, 224, 448, 1792"
      })
  void widthsOfV2(String width, String expected) {
    Model model = Topologies.named("mobilenetv2-w" + width);
    assertThat(channels(model))
        .containsExactlyElementsOf(
            Arrays.stream(expected.split(", ")).map(String::trim).map(Long::valueOf).toList());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "mobilenetv1",
        "mobilenetv1-w0.25-10-64px",
        "mobilenetv1-100",
        "mobilenetv2",
        "mobilenetv2-w1.4",
        "mobilenetv2-w0.05-10-32px",
        "mobilenetv2-expanded-w0.35-96px",
        "mobilenetv2-w2"
      })
  void namesComeBack(String name) {
    assertThat(Topologies.named(name).name()).isEqualTo(name);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "mobilenet",
        "mobilenetv3",
        "mobilenetv1-expanded",
        "mobilenetv2-w0",
        "mobilenetv2-w0.03",
        "mobilenetv2-w4.05",
        "mobilenetv2-w999",
        "mobilenetv2-w.5",
        "mobilenetv2-1",
        "mobilenetv1-31px",
        "mobilenetv1-1025px",
        "mobilenetv1-64px-10",
        "MobileNetV2"
      })
  void otherNamesAreRefused(String name) {
    assertThatThrownBy(() -> Topologies.named(name)).isInstanceOf(RefusedException.class);
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, 4.05, .03, 1e300, Double.NaN, Double.POSITIVE_INFINITY})
  void multipliersThatCannotBe(double width) {
    assertThatThrownBy(() -> MobileNetV1.of(width, 1000, 224))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("width multiplier");
    assertThatThrownBy(() -> MobileNetV2.of(width, 1000, 224, MobileNetV2.FirstBlock.PLAIN))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("width multiplier");
  }

  @Test
  void multipliersFollowFromTheChannels() {
    assertThat(WidthMultiplier.of(List.of(51L), width -> List.of(width.roundedDown(1024))))
        .contains(new WidthMultiplier(1));
    assertThat(
            WidthMultiplier.of(
                List.of(48L, 448L),
                width -> List.of(width.roundedToEights(32), width.roundedToEights(320))))
        .contains(new WidthMultiplier(28));
    assertThat(WidthMultiplier.of(List.of(321L), width -> List.of(width.roundedToEights(320))))
        .isEmpty();
  }
}
