package org.hast4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.zoo.CifarResNet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Bits by layer, as people ask for them and as files hold them. */
class SchemeTest {
  private static final Bits FOUR = new Bits(4, 4);
  private static final Bits EIGHT = new Bits(8, 8);
  private static final Model MODEL = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);

  @Test
  void whatIsNotNamedHasTheUsualBits() {
    Scheme scheme = new Scheme(new Bits(3, 5));
    assertThat(MODEL.weighted()).allMatch(layer -> scheme.weightBits(layer) == 3);
    assertThat(scheme.quantizers(MODEL))
        .hasSize(7)
        .allMatch(layer -> scheme.activationBits(MODEL, layer) == 5);
    assertThat(scheme.toString()).isEqualTo("W3A5");
  }

  @Test
  void theFirstAndTheLastAreThoseWithWeights() {
    Scheme scheme = Scheme.of(MODEL, FOUR, Map.of("first", EIGHT, "last", new Bits(6, 7)));
    assertThat(scheme)
        .isEqualTo(Scheme.of(MODEL, FOUR, Map.of("conv1", EIGHT, "fc", new Bits(6, 7))));
    assertThat(scheme.weightBits("conv1")).isEqualTo(8);
    assertThat(scheme.weightBits("fc")).isEqualTo(6);
    assertThat(scheme.weightBits("layer1.0.conv1")).isEqualTo(4);
    assertThat(scheme.toString()).isEqualTo("W4A4, conv1 W8A8, fc W6A7");
    // The image is not quantised; what the classifier reads is, in front of the pool.
    assertThat(scheme.activationBits(MODEL, "relu")).isEqualTo(4);
    assertThat(scheme.activationBits(MODEL, "layer3.0.relu2")).isEqualTo(7);
  }

  /** The image, and the mean over pixels; a sum is one before its activation only. */
  @Test
  void whatIsReadUnquantizedIsNamed() {
    assertThat(new Scheme(FOUR).unquantized(MODEL)).containsExactly("conv1", "fc");
    assertThat(new Scheme(FOUR).at(QuantizationPoints.INPUTS).unquantized(MODEL)).isEmpty();
  }

  /** Where levels stay levels: maxima, slices, parts side by side; not in means and products. */
  @Test
  void levelsPassWhatOnlyMovesThem() {
    Model.Builder net = new Model.Builder(new Model.Input(8, 8, 4));
    Operator relu = new Operator.Activation(ActivationFunction.relu());
    String a = net.add("a", relu, net.add("c1", new Operator.Convolution(4, 4, 1, 1, 0), "image"));
    String half = net.add("half", new Operator.Slice(0, 2), a);
    String both = net.add("both", new Operator.Concat(), half, a);
    Window two = Window.square(2, 2, 0);
    String most = net.add("most", new Operator.Pool(Operator.Pool.Kind.MAX, two), both);
    String c2 = net.add("c2", new Operator.Convolution(6, 4, 1, 1, 0), most);
    String mixed = net.add("mixed", new Operator.Concat(), c2, most);
    String c3 = net.add("c3", new Operator.Convolution(10, 4, 1, 1, 0), mixed);
    String squared = net.add("squared", new Operator.Mul(), net.add("b", relu, c3), "b");
    String c4 = net.add("c4", new Operator.Convolution(4, 4, 1, 1, 0), squared);
    String mean = net.add("mean", new Operator.GlobalAveragePool(), net.add("d", relu, c4));
    net.add("fc", new Operator.Linear(4, 3), mean);
    assertThat(new Scheme(FOUR).unquantized(net.build("net")))
        .containsExactly("c1", "c3", "c4", "fc");
  }

  @Test
  void ofSeveralReadersTheMostCounts() {
    String read = "layer1.0.relu2";
    Map<String, Bits> readers =
        Map.of("layer2.0.conv1", new Bits(4, 3), "layer2.0.downsample.0", new Bits(4, 6));
    assertThat(Scheme.of(MODEL, FOUR, readers).activationBits(MODEL, read)).isEqualTo(6);
    assertThat(
            Scheme.of(MODEL, FOUR, Map.of("layer2.0.conv1", new Bits(4, 3)))
                .activationBits(MODEL, read))
        .isEqualTo(3);
    assertThat(
            Scheme.of(MODEL, FOUR, Map.of("layer2.0.conv1", EIGHT, read, new Bits(4, 2)))
                .activationBits(MODEL, read))
        .isEqualTo(2);
  }

  @Test
  void namesThatAreNoneAreRefusedWithTheNearest() {
    assertThatThrownBy(() -> Scheme.of(MODEL, FOUR, Map.of("layer1.0.conv", EIGHT)))
        .isInstanceOf(RefusedException.class)
        .hasMessage(
            "cifar-resnet8-w4-b has no layer \"layer1.0.conv\" to give bits to; the nearest names"
                + " are layer1.0.conv1, layer1.0.conv2, layer2.0.conv1");
    assertThatThrownBy(() -> Scheme.of(MODEL, FOUR, Map.of("bn1", EIGHT)))
        .hasMessageContaining("has no layer \"bn1\"");
    assertThatThrownBy(() -> Scheme.of(MODEL, FOUR, Map.of("first", EIGHT, "conv1", FOUR)))
        .hasMessageContaining("conv1 is given bits twice");
  }

  @ParameterizedTest
  @ValueSource(strings = {"W1A4", "W4A9", "W4", "4", "W4A4A4", "", "W44A4"})
  void bitsThatAreNone(String text) {
    assertThatThrownBy(() -> Bits.parse(text))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("such as W4A4");
  }

  @Test
  void comesBackFromItsJson() {
    Scheme scheme = Scheme.of(MODEL, new Bits(2, 3), Map.of("first", EIGHT, "last", FOUR));
    assertThat(Scheme.parse(scheme.json(), "scheme")).isEqualTo(scheme);
    assertThat(new Scheme(FOUR).json()).isEqualTo("{\"weight_bits\":4,\"activation_bits\":4}");
    assertThatThrownBy(
            () ->
                Scheme.parse(
                    "{\"weight_bits\":4,\"activation_bits\":4,\"layers\":{\"fc\":{\"weight_bits\":4}}}",
                    "scheme"))
        .hasMessage("scheme: layers: \"fc\": it lacks \"activation_bits\"");
  }

  /** Each of them has a quantiser of its own, and a pixel 8 bits unless somebody says otherwise. */
  @Test
  void inputsAreThoseOfEveryLayerWithWeights() {
    Scheme inputs = Scheme.of(MODEL, FOUR, Map.of("last", EIGHT)).at(QuantizationPoints.INPUTS);
    assertThat(inputs.quantizers(MODEL)).isEqualTo(MODEL.weighted());
    assertThat(inputs.activationBits(MODEL, "conv1")).isEqualTo(8);
    assertThat(inputs.activationBits(MODEL, "layer1.0.conv1")).isEqualTo(4);
    assertThat(inputs.activationBits(MODEL, "fc")).isEqualTo(8);
    assertThat(
            Scheme.of(MODEL, FOUR, Map.of("first", new Bits(4, 5)))
                .at(QuantizationPoints.INPUTS)
                .activationBits(MODEL, "conv1"))
        .isEqualTo(5);
    assertThat(Scheme.parse(inputs.json(), "scheme")).isEqualTo(inputs);
    Scheme activation = Scheme.of(MODEL, FOUR, Map.of("relu", EIGHT));
    assertThatThrownBy(() -> activation.at(QuantizationPoints.INPUTS).check(MODEL))
        .hasMessageContaining("no layer \"relu\"");
  }
}
