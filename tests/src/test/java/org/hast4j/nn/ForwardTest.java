package org.hast4j.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.graph.TensorType.f32;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.RangeRule;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What a topology becomes as a graph. */
class ForwardTest {
  private final Graph graph = new Graph();

  /** Linear bottlenecks are neither activated nor quantised, and their taps are before the add. */
  @Test
  void mobileNetV2IsFused() {
    Topology topology = Topologies.named("mobilenetv2-10-32px");
    Forward forward = forward(topology, new Mode.Quantised(4, Storage.of("ranges", f32(35, 2))));
    assertThat(count(Elementwise.Add.class)).isZero();
    assertThat(count(Convolution.DepthwiseConv2d.class)).isEqualTo(17);
    assertThat(norms()).hasSize(52);
    assertThat(norms().stream().filter(Norm.BnAct::addend)).hasSize(10);
    assertThat(norms().stream().filter(norm -> norm.bits() == 4 && norm.ceiling() == 6))
        .hasSize(35)
        .allMatch(norm -> norm.slope() == 0 && !norm.addend());
    assertThat(forward.taps())
        .hasSize(17)
        .allSatisfy(
            tap -> {
              Norm.BnAct norm = (Norm.BnAct) tap.attention().node().op();
              assertThat(norm.slope()).isEqualTo(1);
              assertThat(norm.bits()).isZero();
            });
  }

  /** Every norm takes its ReLU along, the tapped ones too. */
  @Test
  void mobileNetV1IsFused() {
    Topology topology = Topologies.named("mobilenetv1-10-32px");
    Forward forward = forward(topology, new Mode.Quantised(4, Storage.of("ranges", f32(27, 2))));
    assertThat(norms())
        .hasSize(27)
        .allMatch(
            norm ->
                norm.slope() == 0 && norm.ceiling() == Float.POSITIVE_INFINITY && norm.bits() == 4);
    assertThat(forward.taps())
        .extracting(tap -> tap.attention().node().label())
        .hasSize(13)
        .allMatch(label -> label.endsWith(".pw_conv.bn"))
        .doesNotHaveDuplicates();
  }

  /** Sizes from the papers' tables. */
  @ParameterizedTest
  @CsvSource(
      delimiter = ':',
      value = {
        "mobilenetv1: 112 56 56 28 28 14 14 14 14 14 14 7 7",
        "mobilenetv2: 112 56 56 28 28 28 14 14 14 14 14 14 14 7 7 7 7",
        "resnet18: 56 56 28 28 14 14 7 7"
      })
  void featuresShrinkAsInThePapers(String name, String sides) {
    Forward forward = forward(Topologies.named(name), new Mode.Evaluation());
    assertThat(forward.taps())
        .extracting(Forward.Tap::area)
        .containsExactlyElementsOf(
            Arrays.stream(sides.trim().split(" "))
                .map(Long::valueOf)
                .map(side -> side * side)
                .toList());
  }

  private Forward forward(Topology topology, Mode mode) {
    TensorType type = f32(2, topology.height(), topology.width(), 3);
    Value image = graph.variable(Storage.of("image", type), type);
    Map<String, Value> parameters = new Parameters(topology, "network").values(graph);
    return Forward.of(graph, "network", topology, parameters, image, mode);
  }

  private List<Norm.BnAct> norms() {
    return graph.nodes().stream()
        .map(Node::op)
        .filter(Norm.BnAct.class::isInstance)
        .map(Norm.BnAct.class::cast)
        .toList();
  }

  private long count(Class<? extends Op> op) {
    return graph.nodes().stream().filter(node -> op.isInstance(node.op())).count();
  }

  @ParameterizedTest
  @EnumSource
  void everyAddAndReluIsFused(CifarResNet.Shortcut shortcut) {
    Topology topology = CifarResNet.of(20, 4, 10, shortcut);
    Forward forward = forward(topology, new Mode.Evaluation());
    assertThat(count(Elementwise.Add.class)).isZero();
    assertThat(norms()).hasSize(topology.batchNorms());
    assertThat(norms().stream().filter(Norm.BnAct::addend)).hasSize(9);
    assertThat(norms().stream().filter(norm -> norm.slope() == 0)).hasSize(19);
    assertThat(norms()).allMatch(norm -> norm.bits() == 0 && norm.affine() && !norm.training());
    assertThat(forward.logits().type()).isEqualTo(f32(2, 10));
    assertThat(forward.statistics()).hasSize(topology.batchNorms());
    assertThat(forward.taps())
        .extracting(Forward.Tap::area)
        .containsExactly(1024L, 1024L, 1024L, 256L, 256L, 256L, 64L, 64L, 64L);
    assertThat(forward.taps())
        .extracting(tap -> tap.attention().type())
        .contains(f32(2, 4), f32(2, 16));
  }

  /** A tap is the body's last norm, with which the add is fused. */
  @Test
  void tapsAreBodies() {
    Topology topology = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
    assertThat(forward(topology, new Mode.Evaluation()).taps())
        .allSatisfy(
            tap -> {
              assertThat(tap.attention().node().label()).endsWith("bn2");
              assertThat(((Norm.BnAct) tap.attention().node().op()).addend()).isTrue();
            });
  }

  @Test
  void quantisersReadTheirOwnRanges() {
    Topology topology = CifarResNet.of(20, 4, 10, CifarResNet.Shortcut.B);
    Storage ranges = Storage.of("ranges", f32(19, 2));
    forward(topology, new Mode.Quantised(4, ranges));
    List<Norm.BnAct> quantised = norms().stream().filter(norm -> norm.bits() == 4).toList();
    assertThat(quantised).hasSize(19).allMatch(norm -> norm.slope() == 0);
    List<Long> offsets =
        graph.nodes().stream()
            .map(Node::op)
            .filter(op -> op instanceof Op.Variable variable && variable.storage() == ranges)
            .map(op -> ((Op.Variable) op).offset() / 8)
            .toList();
    assertThat(offsets)
        .containsExactlyElementsOf(java.util.stream.LongStream.range(0, 19).boxed().toList());
  }

  @Test
  void calibrationTracksEveryRelu() {
    Topology topology = CifarResNet.of(20, 4, 10, CifarResNet.Shortcut.A);
    forward(
        topology,
        new Mode.Calibrating(
            4,
            Storage.of("ranges", f32(19, 2)),
            Storage.of("states", f32(19, 3)),
            .9f,
            RangeRule.CORRECT));
    assertThat(count(Quantization.MinMax.class)).isEqualTo(19);
    assertThat(count(Quantization.RangeTrackStep.class)).isEqualTo(19);
    assertThat(count(Quantization.FakeQuant.class)).isEqualTo(19);
    assertThat(norms()).allMatch(norm -> norm.bits() == 0);
  }

  @Test
  void trainingUsesTheStatisticsOfTheBatch() {
    Topology topology = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
    Forward forward = forward(topology, new Mode.Training(.1f));
    assertThat(count(Norm.BnStats.class)).isEqualTo(topology.batchNorms());
    assertThat(count(Norm.BnRunningStep.class)).isEqualTo(topology.batchNorms());
    assertThat(norms()).allMatch(Norm.BnAct::training);
    assertThat(forward.statistics()).isEmpty();
  }

  @Test
  void imagesOfAnotherSizeAreRefused() {
    Topology topology = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
    Value image = graph.variable(Storage.of("image", f32(2, 28, 28, 3)), f32(2, 28, 28, 3));
    Map<String, Value> parameters = new Parameters(topology, "network").values(graph);
    assertThatThrownBy(
            () -> Forward.of(graph, "network", topology, parameters, image, new Mode.Evaluation()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("28");
  }
}
