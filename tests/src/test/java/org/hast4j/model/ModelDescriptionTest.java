package org.hast4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Optional;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.zoo.Topologies;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Structures as JSON: there and back, as people write them, and texts that are none. */
class ModelDescriptionTest {
  private static final String SMALL =
      """
      {"format": 1, "name": "small",
       "input": {"height": 8, "width": 6, "channels": 3, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]},
       "layers": [
         {"name": "conv", "op": "convolution", "inputs": ["image"],
          "in_channels": 3, "out_channels": 4, "kernel": [3, 1], "stride": 2, "padding": [1, 0, 1, 0]},
         {"name": "bn", "op": "batch_norm", "inputs": ["conv"], "channels": 4, "epsilon": 0.001},
         {"name": "relu", "op": "activation", "inputs": ["bn"], "function": "relu", "ceiling": 6},
         {"name": "pool", "op": "global_average_pool", "inputs": ["relu"]},
         {"name": "fc", "op": "linear", "inputs": ["pool"], "in_features": 4, "out_features": 2}],
       "output": "fc"}
      """;

  private static ModelDescription parse(String text) {
    return ModelDescription.parse(text, "small.json");
  }

  @Test
  void whatPeopleWriteIsRead() {
    ModelDescription small = parse(SMALL);
    Window window =
        new Window(
            new Window.Size(3, 1),
            new Window.Size(2, 2),
            new Window.Padding(1, 0, 1, 0),
            new Window.Size(1, 1));
    assertThat(small.model().layers())
        .containsExactly(
            new Layer("conv", new Operator.Convolution(3, 4, window, 1, false), List.of("image")),
            new Layer("bn", new Operator.BatchNorm(4, 1e-3f), List.of("conv")),
            new Layer(
                "relu", new Operator.Activation(ActivationFunction.boundedRelu(6)), List.of("bn")),
            new Layer("pool", new Operator.GlobalAveragePool(), List.of("relu")),
            new Layer("fc", new Operator.Linear(4, 2, true), List.of("pool")));
    assertThat(small.model().input()).isEqualTo(new Model.Input("image", 8, 6, 3));
    assertThat(small.normalization())
        .contains(new Normalization(new float[] {.5f, .4f, .3f}, new float[] {.2f, .2f, .1f}));
    assertThat(parse(small.json(false))).isEqualTo(small);
    assertThat(parse(small.json(true))).isEqualTo(small);
  }

  /** What a file does not say stays unsaid, to the byte. */
  @Test
  void resizeAndClassNamesAreOptional() {
    ModelDescription small = parse(SMALL);
    assertThat(small.resize()).isEqualTo(Resize.USUAL);
    assertThat(small.classNames()).isEmpty();
    assertThat(small.json(false)).doesNotContain("resize", "interpolation", "classes");
    String more =
        SMALL
            .replace("0.1]}", "0.1], \"resize\": 9, \"interpolation\": \"bicubic\"}")
            .replace("\"fc\"}\n", "\"fc\", \"classes\": [\"cat\", \"hot dog\"]}");
    ModelDescription said = parse(more);
    assertThat(said.resize())
        .isEqualTo(
            new Resize(
                Optional.of(new Resize.ShorterSide(9)), Optional.of(Resize.Interpolation.BICUBIC)));
    assertThat(said.classNames()).containsExactly("cat", "hot dog");
    assertThat(said.model()).isEqualTo(small.model());
    assertThat(parse(said.json(false))).isEqualTo(said);
    ModelDescription squashed = parse(more.replace("9,", "\"squash\","));
    assertThat(squashed.resize().extent()).contains(new Resize.Squash());
    assertThat(parse(squashed.json(true))).isEqualTo(squashed);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"resize\": 7 | small.json: pictures scaled to a shorter side of 7 pixels are too small",
        "\"resize\": 0 | small.json: input: a side needs at least 1 pixel, got 0",
        "\"resize\": 9.5 | small.json: input: \"resize\" is 9.5, not a whole number or a text",
        "\"resize\": \"crop\" | small.json: input: 'crop' is neither a number of pixels nor squash",
        "\"interpolation\": \"nearest\" | small.json: input: an interpolation is bilinear or"
            + " bicubic"
      })
  void aWrongResizeIsRefused(String field, String message) {
    assertThatThrownBy(() -> parse(SMALL.replace("\"height\": 8", "\"height\": 8, " + field)))
        .isInstanceOf(RefusedException.class)
        .hasMessageStartingWith(message);
  }

  @Test
  void everyClassHasAName() {
    assertThatThrownBy(() -> parse(SMALL.replace("\"fc\"}\n", "\"fc\", \"classes\": [\"a\"]}")))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("tells 2 classes apart, there are names of 1");
  }

  /** Seven eighths of the shorter side stay of images above 64 pixels: 224 of 256. */
  @ParameterizedTest
  @CsvSource({"32, 32", "64, 64", "65, 74", "96, 109", "224, 256", "299, 341"})
  void theUsualSizeIsImageNets(int side, int shorter) {
    assertThat(Resize.USUAL.extent(new Model.Input("image", side, side, 3)))
        .isEqualTo(new Resize.ShorterSide(shorter));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cifar-resnet20-a",
        "cifar-resnet8-w4-b-7",
        "resnet18",
        "mobilenetv1-w0.25",
        "mobilenetv2-expanded"
      })
  void everyBuiltInNetworkComesBack(String name) {
    ModelDescription description =
        new ModelDescription(Topologies.named(name), Optional.of(Normalization.IMAGENET));
    assertThat(parse(description.json(false))).isEqualTo(description);
  }

  /** Every operator and every function. */
  @Test
  void everyOperatorComesBack() {
    Model.Builder net = new Model.Builder(new Model.Input("pixels", 8, 8, 4));
    String x =
        net.add(
            "avg", new Operator.Pool(Operator.Pool.Kind.AVERAGE, Window.square(2, 2, 0)), "pixels");
    x = net.add("conv", new Operator.Convolution(4, 8, Window.square(3, 1, 1), 2, true), x);
    x = net.add("leaky", new Operator.Activation(ActivationFunction.leakyRelu(.1f)), x);
    for (ActivationFunction.Kind kind : ActivationFunction.Kind.values()) {
      x = net.add(kind.name(), new Operator.Activation(new ActivationFunction(kind)), x);
    }
    x = net.add("prelu", new Operator.PRelu(8), x);
    x = net.add("shuffle", new Operator.ChannelShuffle(2), x);
    String part = net.add("part", new Operator.Slice(1, 5), x);
    x = net.add("concat", new Operator.Concat(), part, part, x);
    x = net.add("pad", new Operator.ChannelPad(2, 20), x);
    x = net.add("mul", new Operator.Mul(), x, x);
    x = net.add("add", new Operator.Add(), x, x);
    x = net.add("flat", new Operator.Flatten(), x);
    net.add("fc", new Operator.Linear(80, 3, false), x);
    ModelDescription description = new ModelDescription(net.build("odd"), Optional.empty());
    assertThat(parse(description.json(false))).isEqualTo(description);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"format\": 1 | \"format\": 2 | small.json: it is of format 2, this program reads up to 1:"
            + " a newer one wrote it",
        "\"format\": 1, | | small.json: it lacks \"format\"",
        "\"kernel\": [3, 1] | \"kernel\": [3] | small.json: layers[0] \"conv\": \"kernel\" is [3],"
            + " not a whole number or a list of 2",
        "\"kernel\": [3, 1], | | small.json: layers[0] \"conv\": it lacks \"kernel\"",
        "\"kernel\": [3, 1] | \"kernel\": 1e9 | small.json: layers[0] \"conv\": \"kernel\" is"
            + " 1.0E9, not",
        "\"stride\": 2 | \"stride\": 0 | small.json: layers[0] \"conv\": stride must be 1 to 1024,"
            + " got 0x0",
        "\"stride\": 2 | \"strides\": 2 | small.json: layers[0] \"conv\": unknown field"
            + " \"strides\"; known here are",
        "\"op\": \"batch_norm\" | \"op\": \"layer_norm\" | small.json: layers[1] \"bn\": unknown op"
            + " \"layer_norm\"; known are convolution,",
        "\"epsilon\": 0.001 | \"epsilon\": \"small\" | small.json: layers[1] \"bn\": \"epsilon\" is"
            + " \"small\", not a number",
        "\"epsilon\": 0.001 | \"epsilon\": -1 | small.json: layers[1] \"bn\": epsilon must be 0 to"
            + " 1",
        "\"function\": \"relu\" | \"function\": \"selu\" | small.json: layers[2] \"relu\": unknown"
            + " function \"selu\"",
        "[\"relu\"] | [\"rleu\"] | small.json: layer \"pool\" reads \"rleu\", which is neither",
        "\"in_features\": 4 | \"in_features\": 5 | small.json: layer \"fc\" (Linear[inputs=5,"
            + " outputs=2, bias=true] of [n, 4]) needs 5 features",
        "\"height\": 8 | \"height\": 99999999999 | small.json: input: \"height\" is 99999999999,"
            + " not a whole number",
        "\"mean\": [0.5, 0.4, 0.3] | \"mean\": [0.5, null, 0.3] | small.json: input: \"mean\" is"
            + " [0.5,null,0.3], not a list of numbers",
        "\"std\": [0.2, 0.2, 0.1] | \"std\": [0.2, 0.2, 0] | small.json: input: channel 2",
        ", 0.3], \"std\": [0.2, 0.2, 0.1] | ], \"std\": [0.2, 0.2] | small.json: small takes images"
            + " of 3 channels, the normalization has 2",
        "\"output\": \"fc\" | \"output\": null | small.json: \"output\" is null, not a text",
        "\"name\": \"small\" | \"name\": \"small\", \"name\": \"s\" | small.json is not valid JSON:"
            + " Duplicate field 'name' (line 1"
      })
  void whatIsWrongIsSaidWithItsPlace(String good, String bad, String message) {
    assertThat(SMALL).contains(good);
    String text = SMALL.replace(good, bad == null ? "" : bad);
    assertThatThrownBy(() -> parse(text))
        .isInstanceOf(RefusedException.class)
        .hasMessageStartingWith(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "null", "[]", "3", "{", "{}", "{} {}", "{\"format\": 1}", "\u0000"})
  void whatIsNoModelIsRefused(String text) {
    assertThatThrownBy(() -> parse(text))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("small.json")
        .hasMessageNotContaining("null cannot");
  }

  @Test
  void depthIsBounded() {
    String deep = "[".repeat(100_000);
    assertThatThrownBy(() -> parse("{\"format\": " + deep))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("small.json");
  }

  /** Whatever is cut, exchanged or doubled: a model, or an argument that is refused in words. */
  @Property(tries = 500)
  void damagedTextsDoNoHarm(@ForAll long seed) {
    Random random = new Random(seed);
    StringBuilder text = new StringBuilder(SMALL);
    for (int i = 0; i < 3; i++) {
      int at = random.nextInt(text.length());
      int end = Math.min(text.length(), at + 1 + random.nextInt(8));
      switch (random.nextInt(3)) {
        case 0 -> text.delete(at, end);
        case 1 -> text.setCharAt(at, (char) random.nextInt(128));
        default -> text.insert(at, text.substring(at, end));
      }
    }
    try {
      assertThat(parse(text.toString()).model().classes()).isPositive();
    } catch (RefusedException e) {
      assertThat(e).hasMessageContaining("small.json");
    }
  }
}
