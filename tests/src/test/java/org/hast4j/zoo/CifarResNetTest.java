package org.hast4j.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.hast4j.failure.RefusedException;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.forward.Parameters;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.nn.AlignmentTaps;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The structure of the CIFAR ResNets: numbers from the paper of He et al. and from published
 * checkpoints.
 */
class CifarResNetTest {
  private static long parameters(Model model) {
    ParameterLayout layout = ParameterLayout.parameters(model);
    return layout.names().stream()
        .mapToLong(name -> layout.get(name).type().shape().elements())
        .sum();
  }

  private static long count(Model model, Class<? extends Operator> op) {
    return model.names(op).size();
  }

  @ParameterizedTest
  @CsvSource({
    "20, A, 269722",
    "20, B, 272474",
    "32, A, 464154",
    "44, A, 658586",
    "56, A, 853018",
    "110, A, 1727962"
  })
  void parameterCounts(int depth, CifarResNet.Shortcut shortcut, long expected) {
    assertThat(parameters(CifarResNet.of(depth, 16, 10, shortcut))).isEqualTo(expected);
  }

  @ParameterizedTest
  @CsvSource({"A, 19, 19", "B, 21, 21"})
  void partsOfResNet20(CifarResNet.Shortcut shortcut, int convolutions, int norms) {
    Model model = CifarResNet.of(20, 16, 10, shortcut);
    assertThat(count(model, Operator.Convolution.class)).isEqualTo(convolutions);
    assertThat(model.names(Operator.BatchNorm.class).size()).isEqualTo(norms);
    assertThat(model.names(Operator.Activation.class).size()).isEqualTo(19);
    assertThat(AlignmentTaps.of(model)).hasSize(9);
    assertThat(count(model, Operator.Add.class)).isEqualTo(9);
    assertThat(count(model, Operator.Linear.class)).isEqualTo(1);
    assertThat(Parameters.weightNames(model)).hasSize(convolutions + 1).endsWith("fc.weight");
  }

  /** The last BatchNorm before each residual add, in order; never the one of a shortcut. */
  @ParameterizedTest
  @EnumSource
  void tapsEndTheBodies(CifarResNet.Shortcut shortcut) {
    Model model = CifarResNet.of(20, 16, 10, shortcut);
    List<String> taps = AlignmentTaps.of(model);
    assertThat(taps)
        .containsExactly(
            "layer1.0.bn2",
            "layer1.1.bn2",
            "layer1.2.bn2",
            "layer2.0.bn2",
            "layer2.1.bn2",
            "layer2.2.bn2",
            "layer3.0.bn2",
            "layer3.1.bn2",
            "layer3.2.bn2");
  }

  @Test
  void onlyUnitsThatChangeShapeHaveAShortcutOfTheirOwn() {
    assertThat(CifarResNet.of(20, 16, 10, CifarResNet.Shortcut.B).layers())
        .extracting(Layer::name)
        .contains("layer2.0.downsample.0", "layer3.0.downsample.1")
        .doesNotContain("layer1.0.downsample.0", "layer2.1.downsample.0");
    assertThat(count(CifarResNet.of(20, 16, 10, CifarResNet.Shortcut.A), Operator.ChannelPad.class))
        .isEqualTo(2);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cifar-resnet20-a",
        "cifar-resnet20-b",
        "cifar-resnet56-a-100",
        "cifar-resnet20-w4-b",
        "cifar-resnet8-w4-a-7"
      })
  void namesComeBack(String name) {
    assertThat(Topologies.named(name).name()).isEqualTo(name);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "resnet20",
        "cifar-resnet20",
        "cifar-resnet20-c",
        "cifar-resnet21-a",
        "",
        "cifar-resnet20-b-1"
      })
  void otherNamesAreRefused(String name) {
    assertThatThrownBy(() -> Topologies.named(name)).isInstanceOf(RefusedException.class);
  }

  @ParameterizedTest
  @ValueSource(ints = {-4, 0, 2, 7, 19, 21})
  void otherDepthsAreRefused(int depth) {
    assertThatThrownBy(() -> CifarResNet.of(depth, 16, 10, CifarResNet.Shortcut.A))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("6n + 2");
  }

  @Test
  void slotsDoNotOverlap() {
    ParameterLayout layout =
        ParameterLayout.parameters(CifarResNet.of(20, 16, 10, CifarResNet.Shortcut.B));
    long end = 0;
    for (String name : layout.names()) {
      ParameterLayout.Entry slot = layout.get(name);
      assertThat(slot.offset() % 64).isZero();
      assertThat(slot.offset()).isGreaterThanOrEqualTo(end);
      end = slot.offset() + slot.type().bytes();
    }
    assertThat(layout.bytes()).isGreaterThanOrEqualTo(end);
    assertThatThrownBy(() -> layout.get("fc.gamma")).hasMessageContaining("fc.gamma");
  }
}
