package org.hast4j.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.stream.Stream;
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

  private static Layer conv(Window window, int groups, boolean bias) {
    return layer("odd", new Operator.Convolution(4, 4, window, groups, bias), Model.IMAGE);
  }

  private static Window window(Window.Size strides, Window.Padding padding, int dilation) {
    return new Window(new Window.Size(3, 3), strides, padding, new Window.Size(dilation, dilation));
  }

  static Stream<Arguments> layersWithoutKernels() {
    Window plain = Window.square(3, 1, 1);
    Window.Size one = new Window.Size(1, 1);
    Window.Padding same = new Window.Padding(1, 1, 1, 1);
    return Stream.of(
        Arguments.of(conv(plain, 2, false), "2 groups"),
        Arguments.of(conv(plain, 1, true), "bias"),
        Arguments.of(conv(window(new Window.Size(1, 2), same, 1), 1, false), "strides (1x2)"),
        Arguments.of(conv(window(one, new Window.Padding(1, 1, 2, 2), 1), 1, false), "padding"),
        Arguments.of(conv(window(one, same, 2), 1, false), "dilation"),
        Arguments.of(
            layer("odd", new Operator.Pool(Kind.AVERAGE, plain), Model.IMAGE), "average pooling"),
        Arguments.of(layer("odd", RELU, Model.IMAGE), "follow a BatchNorm"),
        Arguments.of(layer("odd", new Operator.Mul(), Model.IMAGE, Model.IMAGE), "product"),
        Arguments.of(layer("odd", new Operator.ChannelShuffle(2), Model.IMAGE), "shuffling"));
  }

  @ParameterizedTest
  @MethodSource("layersWithoutKernels")
  void aLayerWithoutAKernelIsNamed(Layer odd, String why) {
    assertThatThrownBy(() -> Translation.of(model(odd)))
        .isInstanceOf(IllegalArgumentException.class)
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
