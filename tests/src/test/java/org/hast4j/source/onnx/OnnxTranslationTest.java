package org.hast4j.source.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.hast4j.source.onnx.GraphBuilder.integer;
import static org.hast4j.source.onnx.GraphBuilder.ints;
import static org.hast4j.source.onnx.GraphBuilder.real;
import static org.hast4j.source.onnx.GraphBuilder.tensor;
import static org.hast4j.source.onnx.GraphBuilder.text;

import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.model.Model;
import org.hast4j.source.Source;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What a graph says is what its layers compute: by ONNX Runtime, to rounding. */
class OnnxTranslationTest {
  private static final String HEAD = " GlobalAveragePool Linear";

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  static GraphBuilder graph() {
    return new GraphBuilder().image(0, 3, 8, 8);
  }

  static Arguments of(String name, String layers, GraphBuilder graph) {
    return Arguments.of(name, layers, graph);
  }

  /** What stands between a convolution to 4 channels, "a", and the mean, "b". */
  static Arguments between(
      String name, String layers, int channels, UnaryOperator<GraphBuilder> nodes) {
    GraphBuilder graph = nodes.apply(graph().conv("a", "x", 3, 4, 3, 1)).head("b", channels);
    return of(name, ("Convolution " + layers).strip() + HEAD, graph);
  }

  static Stream<Arguments> activations() {
    return Stream.of(
        between("Relu", "relu", 4, g -> g.node("Relu", "a", "b")),
        between("LeakyRelu", "relu", 4, g -> g.node("LeakyRelu", "a", "b", real("alpha", .2f))),
        between("LeakyRelu usual", "relu", 4, g -> g.node("LeakyRelu", "a", "b")),
        between("PRelu", "PRelu", 4, g -> g.random("s", .3, 4, 1, 1).node("PRelu", "a s", "b")),
        between("PRelu of one", "PRelu", 4, g -> g.random("s", .3, 1).node("PRelu", "a s", "b")),
        between(
            "Clip by attributes",
            "relu6",
            4,
            g -> g.opset(9).node("Clip", "a", "b", real("min", 0), real("max", 6))),
        between(
            "Clip by inputs",
            "relu1",
            4,
            g -> g.scalar("l", 0).scalar("h", 1).node("Clip", "a l h", "b")),
        between("Clip from below", "relu", 4, g -> g.scalar("l", 0).node("Clip", "a l", "b")),
        between("Clip of nothing", "", 4, g -> g.node("Clip", "a", "b")),
        between("Sigmoid", "sigmoid", 4, g -> g.node("Sigmoid", "a", "b")),
        between(
            "HardSigmoid",
            "hard_sigmoid",
            4,
            g -> g.node("HardSigmoid", "a", "b", real("alpha", 1 / 6f), real("beta", .5f))),
        between("HardSwish", "hard_swish", 4, g -> g.opset(14).node("HardSwish", "a", "b")),
        between("Mish", "mish", 4, g -> g.opset(18).node("Mish", "a", "b")),
        between("Gelu", "gelu", 4, g -> g.opset(20).node("Gelu", "a", "b")),
        between(
            "Softplus, Tanh, Mul",
            "mish",
            4,
            g -> g.node("Softplus", "a", "p").node("Tanh", "p", "t").node("Mul", "a t", "b")),
        between(
            "x Sigmoid(x)", "silu", 4, g -> g.node("Sigmoid", "a", "s").node("Mul", "a s", "b")),
        between(
            "x HardSigmoid(x)",
            "hard_swish",
            4,
            g ->
                g.node("HardSigmoid", "a", "s", real("alpha", 1 / 6f), real("beta", .5f))
                    .node("Mul", "s a", "b")),
        between(
            "x Clip(x + 3) / 6",
            "hard_swish",
            4,
            g -> three(g).node("Mul", "a c", "m").node("Div", "m six", "b")),
        between(
            "x (Clip(x + 3) / 6)",
            "hard_swish",
            4,
            g -> three(g).node("Div", "c six", "m").node("Mul", "m a", "b")),
        between(
            "x Clip(x / 6 + .5, 0, 1)",
            "hard_swish",
            4,
            g ->
                g.scalar("sixth", 1 / 6f)
                    .scalar("half", .5f)
                    .scalar("l", 0)
                    .scalar("h", 1)
                    .node("Mul", "a sixth", "t")
                    .node("Add", "t half", "u")
                    .node("Clip", "u l h", "c")
                    .node("Mul", "a c", "b")),
        between("Clip(x + 3) / 6", "hard_sigmoid", 4, g -> three(g).node("Div", "c six", "b")),
        between(
            "GELU, factors first",
            "gelu",
            4,
            g -> erf(g).node("Mul", "a u", "m").node("Mul", "m half", "b")),
        between(
            "GELU, halves first",
            "gelu",
            4,
            g -> erf(g).node("Mul", "a half", "m").node("Mul", "m u", "b")),
        between(
            "GELU, half of the error function",
            "gelu",
            4,
            g -> erf(g).node("Mul", "half u", "m").node("Mul", "a m", "b")),
        between(
            "Cast, Identity, Dropout",
            "",
            4,
            g ->
                g.node("Cast", "a", "c", integer("to", 1))
                    .node("Identity", "c", "d")
                    .node("Dropout", "d", "b mask")));
  }

  private static GraphBuilder three(GraphBuilder graph) {
    return graph
        .scalar("three", 3)
        .scalar("six", 6)
        .scalar("zero", 0)
        .node("Add", "a three", "t")
        .node("Clip", "t zero six", "c");
  }

  private static GraphBuilder erf(GraphBuilder graph) {
    return graph
        .scalar("root", (float) Math.sqrt(2))
        .scalar("one", 1)
        .scalar("half", .5f)
        .node("Div", "a root", "d")
        .node("Erf", "d", "e")
        .node("Add", "e one", "u");
  }

  static Stream<Arguments> convolutions() {
    return Stream.of(
        of(
            "asymmetric",
            "Convolution" + HEAD,
            graph()
                .random("w", .4, 4, 3, 3, 2)
                .random("bias", .4, 4)
                .node(
                    "Conv",
                    "x w bias",
                    "b",
                    ints("pads", 0, 1, 2, 0),
                    ints("strides", 2, 1),
                    ints("dilations", 1, 2))
                .head("b", 4)),
        of(
            "groups",
            "Convolution Convolution" + HEAD,
            graph()
                .conv("a", "x", 3, 4, 1, 1)
                .random("w", .4, 6, 2, 3, 3)
                .node("Conv", "a w", "b", integer("group", 2))
                .head("b", 6)),
        of(
            "depthwise with a bias",
            "Convolution" + HEAD,
            graph()
                .random("w", .4, 3, 1, 3, 3)
                .random("bias", .4, 3)
                .node("Conv", "x w bias", "b", integer("group", 3))
                .head("b", 3)),
        of("SAME_UPPER", "Convolution" + HEAD, same("SAME_UPPER")),
        of("SAME_LOWER", "Convolution" + HEAD, same("SAME_LOWER")),
        of("VALID", "Convolution" + HEAD, same("VALID")),
        between("BatchNormalization", "BatchNorm", 4, g -> g.batchNorm("b", "a", 4)),
        between(
            "Pad, Conv",
            "relu Convolution",
            2,
            g ->
                g.wholes("p", 0, 0, 1, 0, 0, 0, 2, 1)
                    .random("w", .4, 2, 4, 3, 3)
                    .node("Relu", "a", "r")
                    .node("Pad", "r p", "q")
                    .node("Conv", "q w", "b", ints("pads", 0, 1, 0, 1))),
        between(
            "Conv, Add of each channel",
            "relu",
            4,
            g -> g.random("k", .4, 1, 4, 1, 1).node("Add", "a k", "p").node("Relu", "p", "b")),
        between(
            "Conv, Mul and Add, BatchNorm, Sub and Div",
            "BatchNorm",
            4,
            g ->
                g.random("k", .4, 4, 1, 1)
                    .random("l", 1, .2, 4, 1, 1)
                    .scalar("m", 3)
                    .node("Mul", "a k", "p")
                    .node("Sub", "m p", "q")
                    .batchNorm("n", "q", 4)
                    .node("Sub", "n k", "o")
                    .node("Div", "o l", "b")),
        of(
            "weights of a Constant node",
            "Flatten Linear",
            new GraphBuilder()
                .image(0, 1, 1, 3)
                .node("Flatten", "x", "f")
                .node(
                    "Constant",
                    "",
                    "w",
                    tensor(
                        "value",
                        GraphBuilder.floatTensor("", new float[] {1, -2, 3, 4, 5, 6}, 3, 2)))
                .node("MatMul", "f w", "y")
                .output("y", 0, 2)));
  }

  private static GraphBuilder same(String pad) {
    return new GraphBuilder()
        .image(0, 3, 9, 8)
        .random("w", .4, 4, 3, 3, 4)
        .node("Conv", "x w", "b", text("auto_pad", pad), ints("strides", 2, 3))
        .head("b", 4);
  }

  static Stream<Arguments> linear() {
    return Stream.of(
        of(
            "Gemm with alpha and beta",
            "Flatten Linear",
            graph()
                .random("w", .2, 192, GraphBuilder.CLASSES)
                .random("c", .4, 1, GraphBuilder.CLASSES)
                .node("Flatten", "x", "f")
                .node("Gemm", "f w c", "y", real("alpha", .5f), real("beta", 3))
                .output("y")),
        of(
            "MatMul, Add",
            "Flatten Linear relu Linear",
            graph()
                .wholes("s", 0, -1)
                .random("w", .2, 192, 7)
                .random("k", .4, 7)
                .node("Reshape", "x s", "f")
                .node("MatMul", "f w", "m")
                .node("Add", "k m", "n")
                .node("Relu", "n", "r")
                .linear("r", 7)),
        of(
            "a transposed weight",
            "Flatten Linear",
            graph()
                .random("w", .2, GraphBuilder.CLASSES, 192)
                .node("Flatten", "x", "f")
                .node("Transpose", "w", "v")
                .node("MatMul", "f v", "y")
                .output("y")),
        of(
            "BatchNorm of a vector, PRelu",
            "GlobalAveragePool BatchNorm PRelu Linear",
            graph()
                .random("s", .3, 3)
                .node("GlobalAveragePool", "x", "p")
                .node("Flatten", "p", "f")
                .batchNorm("n", "f", 3)
                .node("PRelu", "n s", "r")
                .linear("r", 3)),
        of(
            "Identity at the end",
            "GlobalAveragePool Linear",
            graph()
                .node("GlobalAveragePool", "x", "p")
                .node("Flatten", "p", "f")
                .random("w", .5, 3, GraphBuilder.CLASSES)
                .node("MatMul", "f w", "l")
                .node("Identity", "l", "y")
                .output("y")),
        of(
            "a convolution that classifies",
            "Convolution GlobalAveragePool",
            graph()
                .conv("c", "x", 3, GraphBuilder.CLASSES, 1, 1)
                .node("GlobalAveragePool", "c", "y")
                .output("y", 0, GraphBuilder.CLASSES, 1, 1)),
        of(
            "a convolution of the mean",
            "GlobalAveragePool Linear",
            graph()
                .node("GlobalAveragePool", "x", "p")
                .conv("c", "p", 3, GraphBuilder.CLASSES, 1, 1)
                .node("Flatten", "c", "y")
                .output("y")));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource({
    "activations",
    "convolutions",
    "linear",
    "org.hast4j.source.onnx.StructureCases#poolings",
    "org.hast4j.source.onnx.StructureCases#structures"
  })
  void computesWhatTheGraphSays(String name, String layers, GraphBuilder graph) {
    byte[] bytes = graph.bytes();
    Source source = Onnx.read(bytes);
    Model model = source.model().orElseThrow();
    assertThat(Onnx.layers(model)).isEqualTo(layers);
    float[] pixels = Onnx.pixels(model.input());
    float[] expected =
        Onnx.reference(bytes, model.input(), pixels, Onnx.IMAGES, !name.equals("channels last"));
    Onnx.assertAlike(Onnx.logits(DEVICES.open(), Onnx.network(source), pixels), expected, 1e-4);
  }
}
