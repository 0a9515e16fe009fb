package org.hast4j.source.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.source.onnx.GraphBuilder.integer;
import static org.hast4j.source.onnx.GraphBuilder.ints;
import static org.hast4j.source.onnx.GraphBuilder.real;
import static org.hast4j.source.onnx.GraphBuilder.text;

import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import java.util.Arrays;
import java.util.stream.Stream;
import org.hast4j.io.CorruptFileException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Graphs that are no classifiers of known layers: what is said of them. */
class OnnxRefusalTest {
  private static GraphBuilder graph() {
    return new GraphBuilder().image(0, 3, 8, 8);
  }

  private static Arguments of(String message, GraphBuilder graph) {
    return Arguments.of(message, graph);
  }

  /** A node between the image and the mean. */
  private static Arguments node(String message, GraphBuilder graph) {
    return of(message, graph.head("b", 3));
  }

  static Stream<Arguments> refused() {
    return Stream.of(
        node(
            "node \"Resize_0\" (Resize, giving \"b\"): is an operator that is not known: known are"
                + " Add, ArgMax, AveragePool, BatchNormalization, Cast, Clip, Concat, Constant,",
            graph().node("Resize", "x", "b")),
        node(
            "(QuantizeLinear, giving \"b\"): is an operator",
            graph().node("QuantizeLinear", "x", "b")),
        node(
            "(Conv, giving \"b\"): is a convolution of 1 dimensions (weights F32[3, 3, 3])",
            graph().random("w", 1, 3, 3, 3).node("Conv", "x w", "b")),
        node(
            "needs 4 channels, its input has 3",
            graph().random("w", 1, 3, 4, 3, 3).node("Conv", "x w", "b")),
        node(
            "(Add, giving \"b\") computes with constants",
            graph().random("k", 1, 3, 1, 1).node("Relu", "x", "r").node("Add", "r k", "b")),
        node(
            "features of [3, 8, 8] and a constant of F32[8, 1]",
            graph().random("k", 1, 8, 1).node("Mul", "x k", "b")),
        node("is a hard sigmoid of slope 0.2", graph().node("HardSigmoid", "x", "b")),
        node(
            "approximates GELU by \"tanh\"",
            graph().node("Gelu", "x", "b", text("approximate", "tanh"))),
        node(
            "(Tanh, giving \"b\") is known as part of GELU or Mish only",
            graph().node("Tanh", "x", "b")),
        node(
            "(Clip, giving \"b\") bounds values to -1.0 and 1.0",
            graph().opset(9).node("Clip", "x", "b", real("min", -1), real("max", 1))),
        node(
            "known is a channel shuffle",
            graph().node("Transpose", "x", "b", ints("perm", 0, 1, 3, 2))),
        node(
            "flattens from axis 2; known is 1",
            graph().node("Flatten", "x", "b", integer("axis", 2))),
        node(
            "takes a part of features along axis 2, 4 from 2 on by 1, of [3, 8, 8]",
            graph()
                .wholes("from", 2)
                .wholes("to", 6)
                .wholes("axis", 2)
                .node("Slice", "x from to axis", "b")),
        node(
            "pools features padded with 0.0, which may be the largest",
            graph()
                .wholes("p", 0, 0, 1, 1, 0, 0, 1, 1)
                .node("Pad", "x p", "q")
                .node("MaxPool", "q", "b", ints("kernel_shape", 3, 3))),
        node(
            "pads in mode \"reflect\"",
            graph()
                .wholes("p", 0, 0, 1, 1, 0, 0, 1, 1)
                .node("Pad", "x p", "b", text("mode", "reflect"))),
        node(
            "takes the mean over axes [1]; known are those of height and width",
            graph().node("ReduceMean", "x", "b", ints("axes", 1))),
        node(
            "known at the very end only", graph().node("Softmax", "x", "s").node("Relu", "s", "b")),
        node(
            "subtracts features or divides by them",
            graph().node("Relu", "x", "r").node("Sub", "x r", "b")),
        node("lacks its input 1", graph().node("Conv", "x", "b")),
        node(
            "node \"Relu_0\" (Relu, giving \"b\") reads \"nothing\", which is neither an input nor"
                + " an initializer",
            graph().node("Relu", "nothing", "b")),
        node(
            "the graph goes in a circle", graph().node("Relu", "c", "b").node("Sigmoid", "b", "c")),
        node(
            "gives \"b\", which is there already",
            graph().node("Relu", "x", "b").node("Relu", "x", "b")),
        node(
            "an output beside the first of its node",
            graph()
                .node("MaxPool", "x", "p where", ints("kernel_shape", 2, 2))
                .node("Relu", "where", "b")),
        node(
            "has kernel_shape of type INT, not INTS",
            graph().node("MaxPool", "x", "b", integer("kernel_shape", 2))),
        node("its operators are of opset 6", graph().opset(6).node("Relu", "x", "b")),
        of(
            "leaves its size height open: export the network for images of a fixed height and"
                + " width",
            new GraphBuilder().image(0, 3, 0, 0).head("x", 3)),
        of("the input \"x\" has 3 sizes", new GraphBuilder().image(3, 8, 8).head("x", 3)),
        of(
            "the input \"x\" has type UINT8",
            new GraphBuilder().image(TensorProto.DataType.UINT8, 0, 3, 8, 8).head("x", 3)),
        of(
            "the graph has 2 outputs (\"y\", \"z\"), of which 2 are [images, classes]",
            graph().head("x", 3).node("Relu", "y", "z").output("z")),
        of(
            "depends on 2 inputs (\"x\", \"other\")",
            otherInput().node("Add", "x other", "b").head("b", 3)),
        of("two initializers named \"k\"", graph().scalar("k", 1).scalar("k", 2).head("x", 3)),
        of(
            "needs 108 bytes, its raw data has 4",
            badTensor(
                GraphBuilder.floatTensor("w", new float[] {1}).toBuilder()
                    .addAllDims(Arrays.asList(3L, 3L, 3L, 1L))
                    .build())),
        of(
            "tensor \"w\" has sizes [4294967296, 4294967296], of which at most",
            badTensor(
                GraphBuilder.tensor("w", TensorProto.DataType.FLOAT, 1L << 32, 1L << 32).build())),
        of(
            "tensor \"w\" has type STRING",
            badTensor(GraphBuilder.tensor("w", TensorProto.DataType.STRING, 1).build())));
  }

  private static GraphBuilder otherInput() {
    GraphBuilder graph = graph();
    graph.graph().addInput(GraphBuilder.info("other", TensorProto.DataType.FLOAT, 0, 3, 8, 8));
    return graph;
  }

  private static GraphBuilder badTensor(TensorProto tensor) {
    GraphBuilder graph = graph().node("Conv", "x w", "b").head("b", 3);
    graph.graph().addInitializer(tensor);
    return graph;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void refused(String message, GraphBuilder graph) {
    byte[] bytes = graph.bytes();
    assertThatThrownBy(() -> Onnx.read(bytes))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("graph.onnx: ")
        .hasMessageContaining(message);
  }

  @Test
  void anOperatorOfAnotherDomainIsNotTheStandardOne() {
    GraphBuilder graph = graph().head("b", 3);
    graph
        .graph()
        .addNode(
            NodeProto.newBuilder()
                .setOpType("Relu")
                .setDomain("com.example")
                .addInput("x")
                .addOutput("b"));
    byte[] bytes = graph.bytes();
    assertThatThrownBy(() -> Onnx.read(bytes))
        .hasMessageContaining("is an operator of domain \"com.example\" that is not known");
  }

  @Test
  void namesInMessagesAreFitToPrint() {
    byte[] bytes = graph().node("Relu", "a\u0007\u001b[31m\nb", "b").head("b", 3).bytes();
    assertThatThrownBy(() -> Onnx.read(bytes))
        .hasMessageContaining("reads \"a??[31m?b\"")
        .message()
        .matches(message -> message.chars().noneMatch(Character::isISOControl));
  }

  @Test
  void whatIsNoGraphIsSaidToBeNone() {
    for (byte[] bytes : new byte[][] {{}, {8, 8, 18, 100, 1}, "not an ONNX file".getBytes()}) {
      assertThatThrownBy(() -> Onnx.read(bytes)).isInstanceOf(CorruptFileException.class);
    }
    assertThat(OnnxSource.looksLike(java.lang.foreign.MemorySegment.ofArray(new byte[] {8})))
        .isFalse();
  }
}
