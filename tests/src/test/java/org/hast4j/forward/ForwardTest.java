package org.hast4j.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.graph.TensorType.f32;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.hast4j.failure.RefusedException;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.model.QuantizationPoints;
import org.hast4j.model.Scheme;
import org.hast4j.model.Window;
import org.hast4j.nn.Network;
import org.hast4j.tensor.RangeRule;
import org.hast4j.zoo.CifarResNet;
import org.hast4j.zoo.Topologies;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What a model becomes as a graph. */
class ForwardTest {
  private final Graph graph = new Graph();

  /** Linear bottlenecks are neither activated nor quantised, and their taps are before the add. */
  @Test
  void mobileNetV2IsFused() {
    Model model = Topologies.named("mobilenetv2-10-32px");
    Forward forward = forward(model, new Mode.Quantized(quantizers(model)));
    assertThat(count(Elementwise.Add.class)).isZero();
    assertThat(count(Convolution.DepthwiseConv2d.class)).isEqualTo(17);
    assertThat(norms()).hasSize(52);
    assertThat(norms().stream().filter(Norm.BnAct::residual)).hasSize(10);
    assertThat(norms().stream().filter(norm -> norm.bits() == 4 && norm.ceiling() == 6))
        .hasSize(35)
        .allMatch(norm -> norm.slope() == 0 && !norm.residual());
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
    Model model = Topologies.named("mobilenetv1-10-32px");
    Forward forward = forward(model, new Mode.Quantized(quantizers(model)));
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

  private static ActivationQuantizers quantizers(Model model) {
    return ActivationQuantizers.of(model, new Scheme(new Bits(4, 4)));
  }

  private Forward forward(Model model, Mode mode) {
    TensorType type = f32(2, model.input().height(), model.input().width(), 3);
    Value image = graph.variable(Storage.of("image", type), type);
    Map<String, Value> parameters = new Parameters(model, "network").values(graph);
    return Forward.of(graph, "network", model, parameters, image, mode);
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
    Model model = CifarResNet.of(20, 4, 10, shortcut);
    Forward forward = forward(model, new Mode.Evaluation());
    assertThat(count(Elementwise.Add.class)).isZero();
    assertThat(norms()).hasSize(model.names(Operator.BatchNorm.class).size());
    assertThat(norms().stream().filter(Norm.BnAct::residual)).hasSize(9);
    assertThat(norms().stream().filter(norm -> norm.slope() == 0)).hasSize(19);
    assertThat(norms()).allMatch(norm -> norm.bits() == 0 && norm.affine() && !norm.training());
    assertThat(forward.logits().type()).isEqualTo(f32(2, 10));
    assertThat(forward.statistics()).hasSize(model.names(Operator.BatchNorm.class).size());
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
    Model model = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
    assertThat(forward(model, new Mode.Evaluation()).taps())
        .allSatisfy(
            tap -> {
              assertThat(tap.attention().node().label()).endsWith("bn2");
              assertThat(((Norm.BnAct) tap.attention().node().op()).residual()).isTrue();
            });
  }

  @Test
  void quantizersReadTheirOwnRanges() {
    Model model = CifarResNet.of(20, 4, 10, CifarResNet.Shortcut.B);
    ActivationQuantizers quantizers = quantizers(model);
    forward(model, new Mode.Quantized(quantizers));
    List<Norm.BnAct> quantized = norms().stream().filter(norm -> norm.bits() == 4).toList();
    assertThat(quantized).hasSize(19).allMatch(norm -> norm.slope() == 0);
    List<Long> offsets =
        graph.nodes().stream()
            .map(Node::op)
            .filter(
                op ->
                    op instanceof Op.Variable variable && variable.storage() == quantizers.ranges())
            .map(op -> ((Op.Variable) op).offset() / 8)
            .toList();
    assertThat(offsets)
        .containsExactlyElementsOf(java.util.stream.LongStream.range(0, 19).boxed().toList());
  }

  @Test
  void calibrationTracksEveryRelu() {
    Model model = CifarResNet.of(20, 4, 10, CifarResNet.Shortcut.A);
    forward(
        model,
        new Mode.Calibrating(
            quantizers(model), Storage.of("states", f32(19, 3)), .9f, RangeRule.CORRECT));
    assertThat(count(Quantization.MinMax.class)).isEqualTo(19);
    assertThat(count(Quantization.RangeTrackStep.class)).isEqualTo(19);
    assertThat(count(Quantization.FakeQuant.class)).isEqualTo(19);
    assertThat(norms()).allMatch(norm -> norm.bits() == 0);
  }

  /** One quantiser in front of each convolution and of the classifier, none behind activations. */
  @Test
  void inputsAreQuantizedInFrontOfTheirLayers() {
    Model model = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
    Scheme inputs = new Scheme(new Bits(4, 3)).at(QuantizationPoints.INPUTS);
    ActivationQuantizers quantizers = ActivationQuantizers.of(model, inputs);
    forward(model, new Mode.Quantized(quantizers));
    assertThat(norms().stream().filter(norm -> norm.bits() > 0))
        .as("what one convolution alone reads")
        .hasSize(3);
    List<Node> readers =
        graph.nodes().stream()
            .filter(
                node ->
                    node.op() instanceof Convolution.Conv2d
                        || node.op() instanceof Convolution.Linear)
            .toList();
    assertThat(readers).hasSize(10);
    assertThat(readers)
        .extracting(node -> quantizerBits(node.inputs().getFirst().node().op()))
        .startsWith(8, 3)
        .endsWith(3);
  }

  /** What every quantiser takes in, the first one the image itself. */
  @Test
  void theImageIsObservedWhereItIsQuantized() {
    Model model = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
    Scheme inputs = new Scheme(new Bits(4, 3)).at(QuantizationPoints.INPUTS);
    Forward forward = forward(model, new Mode.Observed(ActivationQuantizers.of(model, inputs)));
    assertThat(forward.activations()).containsOnlyKeys(model.weighted());
    assertThat(forward.activations().values()).doesNotContainNull();
    assertThat(forward.activations().get("conv1").type()).isEqualTo(Forward.images(model, 2));
  }

  private static int quantizerBits(Op op) {
    return op instanceof Norm.BnAct norm ? norm.bits() : ((Quantization.FakeQuant) op).bits();
  }

  @Test
  void trainingUsesTheStatisticsOfTheBatch() {
    Model model = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
    Forward forward = forward(model, new Mode.Training(.1f));
    assertThat(count(Norm.BnStats.class)).isEqualTo(model.names(Operator.BatchNorm.class).size());
    assertThat(count(Norm.BnRunningStep.class))
        .isEqualTo(model.names(Operator.BatchNorm.class).size());
    assertThat(norms()).allMatch(Norm.BnAct::training);
    assertThat(forward.statistics()).isEmpty();
  }

  static Stream<Arguments> poolsWithoutKernels() {
    Window.Size one = new Window.Size(1, 1);
    Window.Size three = new Window.Size(3, 3);
    Window.Padding same = new Window.Padding(1, 1, 1, 1);
    return Stream.of(
        Arguments.of(new Window(three, one, same, new Window.Size(2, 1)), "dilation (2x1)"),
        Arguments.of(
            new Window(new Window.Size(2, 129), one, new Window.Padding(1, 64, 1, 64), one),
            "window (2x129) has more than 256 cells"));
  }

  @ParameterizedTest
  @MethodSource("poolsWithoutKernels")
  void aLayerWithoutAKernelIsNamed(Window odd, String why) {
    Model.Builder net = new Model.Builder(new Model.Input(8, 8, 4));
    net.add("odd", new Operator.Pool(Operator.Pool.Kind.MAX, odd), Model.IMAGE);
    String pooled = net.add("pool", new Operator.GlobalAveragePool(), "odd");
    net.add("fc", new Operator.Linear(4, 3), pooled);
    float[] channels = {1, 1, 1, 1};
    Normalization normalization = new Normalization(channels, channels);
    assertThatThrownBy(() -> new Network(net.build("net"), normalization, Map.of()))
        .isInstanceOf(RefusedException.class)
        .hasMessageStartingWith("net: layer odd cannot be computed yet: ")
        .hasMessageContaining(why);
  }

  @Test
  void imagesOfAnotherSizeAreRefused() {
    Model model = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
    Value image = graph.variable(Storage.of("image", f32(2, 28, 28, 3)), f32(2, 28, 28, 3));
    Map<String, Value> parameters = new Parameters(model, "network").values(graph);
    assertThatThrownBy(
            () -> Forward.of(graph, "network", model, parameters, image, new Mode.Evaluation()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("28");
  }
}
