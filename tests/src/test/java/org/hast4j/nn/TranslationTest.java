package org.hast4j.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.stream.Stream;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.ActivationFunction;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.model.Operator.Pool.Kind;
import org.hast4j.model.Window;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Which layers become one node, and which cannot be computed. */
class TranslationTest {
  private static final Operator RELU = new Operator.Activation(new ActivationFunction.Relu());
  private static final Operator NORM = new Operator.BatchNorm(4);

  private static Model model(Layer... body) {
    Model.Builder net = new Model.Builder(new Model.Input(8, 8, 4));
    for (Layer layer : body) {
      net.add(layer.name(), layer.op(), layer.inputs().toArray(String[]::new));
    }
    String pooled = net.add("pool", new Operator.GlobalAveragePool(), body[body.length - 1].name());
    net.add("fc", new Operator.Linear(4, 3), pooled);
    return net.build("net");
  }

  private static Layer layer(String name, Operator op, String... inputs) {
    return new Layer(name, op, List.of(inputs));
  }

  private static Layer pool(Window.Size kernel, Window.Padding padding, Window.Size dilations) {
    Window window = new Window(kernel, new Window.Size(1, 1), padding, dilations);
    return layer("odd", new Operator.Pool(Kind.MAX, window), Model.IMAGE);
  }

  static Stream<Arguments> layersWithoutKernels() {
    Window.Size one = new Window.Size(1, 1);
    Window.Size three = new Window.Size(3, 3);
    Window.Padding same = new Window.Padding(1, 1, 1, 1);
    return Stream.of(
        Arguments.of(pool(new Window.Size(3, 2), same, one), "window (3x2)"),
        Arguments.of(pool(three, new Window.Padding(1, 1, 2, 2), one), "padding ([1, 1, 2, 2])"),
        Arguments.of(pool(three, same, new Window.Size(2, 2)), "dilation (2x2)"),
        Arguments.of(
            pool(new Window.Size(17, 17), new Window.Padding(8, 8, 8, 8), one),
            "window (17x17) is larger than 16"));
  }

  @ParameterizedTest
  @MethodSource("layersWithoutKernels")
  void aLayerWithoutAKernelIsNamed(Layer odd, String why) {
    assertThatThrownBy(() -> Translation.of(model(odd)))
        .isInstanceOf(RefusedException.class)
        .hasMessageStartingWith("net: layer odd cannot be computed yet: ")
        .hasMessageContaining(why);
  }

  /** The second norm's other operand is there already, the first's is not. */
  @Test
  void theLastNormBeforeASumTakesItAlong() {
    Model model =
        model(
            layer("a", NORM, Model.IMAGE),
            layer("b", NORM, Model.IMAGE),
            layer("add", new Operator.Add(), "a", "b"),
            layer("relu", RELU, "add"));
    assertThat(Translation.of(model))
        .extracting(step -> step.layer().name())
        .containsExactly("a", "b", "pool", "fc");
    Translation.Step last = Translation.of(model).get(1);
    assertThat(last.residual()).contains("a");
    assertThat(last.activation().map(Layer::name)).contains("relu");
  }

  /** No part of a BatchNorm's node: another function, a slope, a sum over pixels. */
  @Test
  void whatTheFusedKernelLacksStaysApart() {
    Operator leaky = new Operator.Activation(new ActivationFunction.Relu(.1f, 1 / 0f));
    Model model =
        model(
            layer("a", NORM, Model.IMAGE),
            layer("silu", new Operator.Activation(ActivationFunction.Named.SILU), "a"),
            layer("b", NORM, "silu"),
            layer("leaky", leaky, "b"),
            layer("mean", new Operator.GlobalAveragePool(), "leaky"),
            layer("c", NORM, "leaky"),
            layer("add", new Operator.Add(), "c", "mean"));
    assertThat(Translation.of(model))
        .allMatch(step -> step.sum().isEmpty() && step.activation().isEmpty());
  }

  @Test
  void whatOthersReadStaysApart() {
    Model model =
        model(
            layer("bn", NORM, Model.IMAGE),
            layer("conv", new Operator.Convolution(4, 4, 3, 1, 1), "bn"),
            layer("add", new Operator.Add(), "conv", "bn"));
    assertThat(Translation.of(model)).allMatch(step -> step.sum().isEmpty());
  }
}
