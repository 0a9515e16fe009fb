package org.hast4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Operator.Pool.Kind;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.Shape;
import org.junit.jupiter.api.Test;

/** What a structure says about itself, and structures that cannot be. */
class ModelTest {
  private static final Model.Input INPUT = new Model.Input(9, 8, 3);
  private static final Operator RELU = new Operator.Activation(ActivationFunction.relu());

  private static Layer layer(String name, Operator op, String... inputs) {
    return new Layer(name, op, List.of(inputs));
  }

  /** Pooling and a linear layer behind some layers of {@code channels}. */
  private static Model model(long channels, Layer... body) {
    List<Layer> layers = new ArrayList<>(List.of(body));
    String last = body.length == 0 ? Model.IMAGE : body[body.length - 1].name();
    layers.add(layer("pool", new Operator.GlobalAveragePool(), last));
    layers.add(layer("fc", new Operator.Linear(channels, 5), "pool"));
    return new Model("net", INPUT, layers, "fc");
  }

  private static void refused(String message, Runnable model) {
    assertThatThrownBy(model::run)
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining(message);
  }

  @Test
  void parametersAndShapesFollowFromTheOperators() {
    Window window =
        new Window(
            new Window.Size(3, 1),
            new Window.Size(2, 1),
            new Window.Padding(1, 0, 0, 2),
            new Window.Size(2, 1));
    Model model =
        model(
            12,
            layer("conv", new Operator.Convolution(3, 6, window, 3, true), Model.IMAGE),
            layer("bn", new Operator.BatchNorm(6, 1e-3f), "conv"),
            layer("relu", RELU, "bn"),
            layer("maxpool", new Operator.Pool(Kind.MAX, Window.square(3, 2, 1)), "relu"),
            layer("shuffle", new Operator.ChannelShuffle(2), "maxpool"),
            layer("part", new Operator.Slice(2, 6), "shuffle"),
            layer("concat", new Operator.Concat(), "part", "maxpool"),
            layer("pad", new Operator.ChannelPad(2, 12), "concat"));
    // Rows: 9 + 1 in front, a window that spans 5, stride 2; columns: 8 + 2 behind, one by one.
    assertThat(model.shape("conv")).isEqualTo(Shape.of(3, 10, 6));
    assertThat(model.shape("maxpool")).isEqualTo(Shape.of(2, 5, 6));
    assertThat(model.shape("part")).isEqualTo(Shape.of(2, 5, 4));
    assertThat(model.shape("concat")).isEqualTo(Shape.of(2, 5, 10));
    assertThat(model.shape("pad")).isEqualTo(Shape.of(1, 3, 12));
    assertThat(model.shape("pool")).isEqualTo(Shape.of(12));
    assertThat(model.classes()).isEqualTo(5);
    assertThat(model.parameters().toString())
        .isEqualTo(
            "{conv.weight=[6, 3, 1, 1], conv.bias=[6], bn.weight=[6], bn.bias=[6], fc.weight=[5,"
                + " 12], fc.bias=[5]}");
    assertThat(model.statistics().toString())
        .isEqualTo("{bn.running_mean=[6], bn.running_var=[6]}");
    assertThat(model.weighted()).containsExactly("conv", "fc");
    assertThat(model.readers("maxpool"))
        .extracting(Layer::name)
        .containsExactly("shuffle", "concat");
    assertThat(model.layer(Model.IMAGE)).isEmpty();
  }

  @Test
  void shapesThatDoNotFitAreNamedWithTheirLayer() {
    refused(
        "layer \"conv\" (Convolution[inputs=4",
        () -> model(8, layer("conv", new Operator.Convolution(4, 8, 3, 1, 1), Model.IMAGE)));
    refused(
        "of [n, 9, 8, 3]) needs 4 channels, its input has 3",
        () -> model(8, layer("conv", new Operator.Convolution(4, 8, 3, 1, 1), Model.IMAGE)));
    refused(
        "(Add[] of [n, 9, 8, 3] and [n, 9, 8, 6]) needs a second input of the same shape, [c] or"
            + " [1, 1, c]",
        () ->
            model(
                3,
                layer("conv", new Operator.Convolution(3, 6, 3, 1, 1), Model.IMAGE),
                layer("add", new Operator.Add(), Model.IMAGE, "conv")));
    refused(
        "larger than its padded input",
        () -> model(8, layer("conv", new Operator.Convolution(3, 8, 11, 1, 0), Model.IMAGE)));
    refused(
        "reads 1 inputs, it needs 2",
        () -> model(3, layer("add", new Operator.Add(), Model.IMAGE)));
    refused(
        "needs one vector an image",
        () ->
            new Model(
                "net", INPUT, List.of(layer("fc", new Operator.Linear(3, 5), Model.IMAGE)), "fc"));
    refused(
        "is [n, 9, 8, 3]",
        () -> new Model("net", INPUT, List.of(layer("relu", RELU, Model.IMAGE)), "relu"));
  }

  @Test
  void namesMustLeadSomewhere() {
    refused("neither a layer nor the input \"image\"", () -> model(3, layer("relu", RELU, "imge")));
    refused(
        "two layers named \"relu\"",
        () -> model(3, layer("relu", RELU, Model.IMAGE), layer("relu", RELU, "relu")));
    refused("named as the input is", () -> model(3, layer(Model.IMAGE, RELU, Model.IMAGE)));
    refused(
        "layer \"a\" reads \"b\", which is not before it",
        () -> model(3, layer("a", RELU, "b"), layer("b", RELU, "a")));
    refused("layer \"a\" reads \"a\"", () -> model(3, layer("a", RELU, "a")));
    refused(
        "layer \"lost\" is read by no layer",
        () -> model(3, layer("lost", RELU, Model.IMAGE), layer("relu", RELU, Model.IMAGE)));
    refused(
        "\"nothing\", which is no layer",
        () -> new Model("net", INPUT, model(3).layers(), "nothing"));
    refused("printable characters", () -> layer("a\nb", RELU, Model.IMAGE));
    refused("printable characters", () -> layer(" ", RELU, Model.IMAGE));
    refused("1 to 10000 layers", () -> new Model("net", INPUT, List.of(), "fc"));
  }

  @Test
  void sizesOutOfBoundsAreRefused() {
    refused("4096", () -> new Model.Input(5000, 1, 1));
    refused("too large", () -> new Model.Input(4096, 4096, 1024));
    refused("1 to 1048576", () -> new Operator.Convolution(3, 1L << 40, 3, 1, 1));
    refused(
        "do not divide", () -> new Operator.Convolution(4, 6, Window.square(1, 1, 0), 4, false));
    refused("kernel", () -> Window.square(0, 1, 0));
    refused("stride", () -> Window.square(1, 5000, 0));
    refused("padding", () -> Window.square(1, 1, -1));
    refused("less padding", () -> new Operator.Pool(Kind.MAX, Window.square(2, 1, 2)));
    refused("epsilon", () -> new Operator.BatchNorm(3, Float.NaN));
    refused("begin", () -> new Operator.Slice(2, 2));
    refused(
        "more than",
        () ->
            model(
                1 << 20,
                layer("conv", new Operator.Convolution(3, 1 << 20, 30, 1, 30), Model.IMAGE)));
  }

  /** Counted one by one: windows that lie wholly inside. */
  @Property(tries = 300)
  void windowsAreCounted(
      @ForAll @IntRange(min = 1, max = 20) int rows,
      @ForAll @IntRange(min = 1, max = 6) int kernel,
      @ForAll @IntRange(min = 1, max = 4) int stride,
      @ForAll @IntRange(max = 5) int top,
      @ForAll @IntRange(max = 5) int bottom,
      @ForAll @IntRange(min = 1, max = 3) int dilation) {
    Window window =
        new Window(
            new Window.Size(kernel, 1),
            new Window.Size(stride, 1),
            new Window.Padding(top, 0, bottom, 0),
            new Window.Size(dilation, 1));
    int count = 0;
    for (int start = -top; start + (kernel - 1) * dilation < rows + bottom; start += stride) {
      count++;
    }
    assertThat(window.heights(rows)).isEqualTo(count);
    assertThat(window.widths(7)).isEqualTo(7);
  }

  @Test
  void aChannelIsNoGroup() {
    assertThat(Operator.Convolution.depthwise(8, 3, 1, 1).isDepthwise()).isTrue();
    assertThat(Operator.Convolution.depthwise(1, 3, 1, 1).isDepthwise()).isFalse();
    assertThat(new Operator.Convolution(8, 8, 3, 1, 1).isDepthwise()).isFalse();
  }
}
