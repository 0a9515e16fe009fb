package org.hast4j.source.onnx;

import static org.hast4j.source.onnx.GraphBuilder.integer;
import static org.hast4j.source.onnx.GraphBuilder.ints;
import static org.hast4j.source.onnx.GraphBuilder.tensor;
import static org.hast4j.source.onnx.GraphBuilder.text;
import static org.hast4j.source.onnx.OnnxTranslationTest.between;
import static org.hast4j.source.onnx.OnnxTranslationTest.graph;
import static org.hast4j.source.onnx.OnnxTranslationTest.of;

import ai.onnx.proto.OnnxMl.TensorProto;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;

/** Graphs of several nodes that are one layer, or of layers without weights. */
final class StructureCases {
  private static final String HEAD = " GlobalAveragePool Linear";

  private StructureCases() {}

  static Stream<Arguments> poolings() {
    return Stream.of(
        between(
            "MaxPool",
            "max",
            4,
            g -> g.node("MaxPool", "a", "b", ints("kernel_shape", 2, 2), ints("strides", 2, 2))),
        between(
            "MaxPool padded",
            "max",
            4,
            g ->
                g.node(
                    "MaxPool",
                    "a",
                    "b",
                    ints("kernel_shape", 3, 3),
                    ints("strides", 2, 2),
                    ints("pads", 1, 1, 1, 1))),
        between(
            "Pad, MaxPool",
            "relu max",
            4,
            g ->
                g.wholes("p", 0, 0, 1, 1, 0, 0, 1, 1)
                    .node("Relu", "a", "r")
                    .node("Pad", "r p", "q")
                    .node("MaxPool", "q", "b", ints("kernel_shape", 3, 3), ints("strides", 2, 2))),
        between(
            "AveragePool",
            "average",
            4,
            g ->
                g.node("AveragePool", "a", "b", ints("kernel_shape", 3, 3), ints("strides", 1, 1))),
        between(
            "AveragePool padded",
            "average_unpadded",
            4,
            g ->
                g.node(
                    "AveragePool", "a", "b", ints("kernel_shape", 3, 3), ints("pads", 1, 1, 1, 1))),
        between(
            "AveragePool counting padding",
            "average",
            4,
            g ->
                g.node(
                    "AveragePool",
                    "a",
                    "b",
                    ints("kernel_shape", 3, 3),
                    ints("pads", 1, 1, 1, 1),
                    integer("count_include_pad", 1))),
        between(
            "Pad, AveragePool",
            "average",
            4,
            g ->
                g.wholes("p", 0, 0, 1, 1, 0, 0, 1, 1)
                    .node("Pad", "a p", "q")
                    .node("AveragePool", "q", "b", ints("kernel_shape", 3, 3))),
        of(
            "AveragePool of everything",
            "Convolution GlobalAveragePool Linear",
            graph()
                .conv("a", "x", 3, 4, 3, 1)
                .node("AveragePool", "a", "b", ints("kernel_shape", 8, 8))
                .node("Flatten", "b", "f")
                .linear("f", 4)),
        of(
            "GlobalMaxPool",
            "Convolution max Flatten Linear",
            graph()
                .conv("a", "x", 3, 4, 3, 1)
                .node("GlobalMaxPool", "a", "b")
                .node("Flatten", "b", "f")
                .linear("f", 4)),
        mean(
            "ReduceMean",
            g -> g.node("ReduceMean", "a", "f", ints("axes", 2, 3), integer("keepdims", 0))),
        mean(
            "ReduceMean by an input",
            g ->
                g.opset(18)
                    .wholes("axes", -1, -2)
                    .node("ReduceMean", "a axes", "f", integer("keepdims", 0))),
        mean(
            "ReduceMean twice",
            g ->
                g.node("ReduceMean", "a", "b", ints("axes", 3), integer("keepdims", 0))
                    .node("ReduceMean", "b", "f", ints("axes", 2), integer("keepdims", 0))),
        mean(
            "ReduceMean of a row of pixels",
            g ->
                g.wholes("s", 0, 4, -1)
                    .node("Reshape", "a s", "b")
                    .node("ReduceMean", "b", "f", ints("axes", -1), integer("keepdims", 0))),
        mean(
            "Squeeze",
            g ->
                g.wholes("axes", 2, 3)
                    .node("GlobalAveragePool", "a", "b")
                    .node("Squeeze", "b axes", "f")),
        mean(
            "sizes that the graph computes",
            g ->
                g.wholes("zero", 0)
                    .wholes("axis", 0)
                    .wholes("rest", -1)
                    .node("GlobalAveragePool", "a", "b")
                    .node("Shape", "b", "s")
                    .node("Gather", "s zero", "n")
                    .node("Squeeze", "n axis", "m")
                    .node("Unsqueeze", "m axis", "o")
                    .node("Concat", "o rest", "t", integer("axis", 0))
                    .node("Reshape", "b t", "f")));
  }

  private static Arguments mean(String name, UnaryOperator<GraphBuilder> nodes) {
    return of(
        name,
        "Convolution GlobalAveragePool Linear",
        nodes.apply(graph().conv("a", "x", 3, 4, 3, 1)).linear("f", 4));
  }

  static Stream<Arguments> structures() {
    return Stream.of(
        between(
            "a residual unit",
            "relu Convolution Add",
            4,
            g -> g.node("Relu", "a", "r").conv("c", "r", 4, 4, 3, 1).node("Add", "c r", "b")),
        between(
            "Sum of three",
            "relu sigmoid Add Add",
            4,
            g -> g.node("Relu", "a", "r").node("Sigmoid", "a", "s").node("Sum", "a r s", "b")),
        between("Sum of one", "", 4, g -> g.node("Sum", "a", "b")),
        between("x + x", "Add", 4, g -> g.node("Add", "a a", "b")),
        between(
            "squeeze and excitation",
            "GlobalAveragePool Linear relu Linear sigmoid Mul",
            4,
            g ->
                g.node("GlobalAveragePool", "a", "p")
                    .conv("d", "p", 4, 2, 1, 1)
                    .node("Relu", "d", "r")
                    .conv("e", "r", 2, 4, 1, 1)
                    .node("Sigmoid", "e", "s")
                    .node("Mul", "s a", "b")),
        between(
            "squeeze and excitation by hand",
            "GlobalAveragePool Linear hard_sigmoid Mul",
            4,
            g ->
                g.random("w", .4, 4, 4)
                    .scalar("three", 3)
                    .scalar("six", 6)
                    .scalar("zero", 0)
                    .wholes("s", 0, 4, 1, 1)
                    .node("GlobalAveragePool", "a", "p")
                    .node("Flatten", "p", "f")
                    .node("Gemm", "f w", "g")
                    .node("Add", "g three", "t")
                    .node("Clip", "t zero six", "c")
                    .node("Div", "c six", "h")
                    .node("Reshape", "h s", "v")
                    .node("Mul", "a v", "b")),
        between(
            "Concat",
            "relu Concat",
            7,
            g -> g.node("Relu", "a", "r").node("Concat", "r x", "b", integer("axis", 1))),
        between(
            "Split",
            "Slice Slice relu Concat",
            4,
            g ->
                g.wholes("l", 1, 3)
                    .node("Split", "a l", "s t", integer("axis", 1))
                    .node("Relu", "s", "r")
                    .node("Concat", "t r", "b", integer("axis", -3))),
        between(
            "Split in equal parts",
            "Slice Slice Add",
            2,
            g -> g.node("Split", "a", "s t", integer("axis", 1)).node("Add", "s t", "b")),
        between(
            "Slice",
            "Slice",
            2,
            g ->
                g.wholes("from", 1)
                    .wholes("to", -1)
                    .wholes("axis", 1)
                    .node("Slice", "a from to axis", "b")),
        between(
            "channel shuffle",
            "ChannelShuffle Convolution",
            4,
            g ->
                g.wholes("s", 0, 2, 2, 8, 8)
                    .wholes("t", 0, 4, 8, 8)
                    .node("Reshape", "a s", "q")
                    .node("Transpose", "q", "r", ints("perm", 0, 2, 1, 3, 4))
                    .node("Reshape", "r t", "v")
                    .conv("b", "v", 4, 4, 1, 1)),
        between(
            "channel shuffle of sizes that the graph computes",
            "ChannelShuffle Convolution",
            6,
            g ->
                g.conv("a6", "x", 3, 6, 1, 1)
                    .wholes("two", 2)
                    .wholes("i0", 0)
                    .wholes("i1", 1)
                    .wholes("i2", 2)
                    .wholes("i3", 3)
                    .node("Shape", "a6", "s")
                    .node("Gather", "s i0", "n")
                    .node("Gather", "s i1", "c")
                    .node("Gather", "s i2", "h")
                    .node("Gather", "s i3", "w")
                    .node("Div", "c two", "d")
                    .node("Concat", "n two d h w", "p", integer("axis", 0))
                    .node("Concat", "n c h w", "o", integer("axis", 0))
                    .node("Reshape", "a6 p", "q")
                    .node("Transpose", "q", "r", ints("perm", 0, 2, 1, 3, 4))
                    .node("Reshape", "r o", "v")
                    .conv("b", "v", 6, 6, 1, 1)),
        between(
            "shortcut A", "ChannelPad Convolution", 4, g -> shortcut(g).conv("b", "p", 8, 4, 1, 1)),
        between(
            "shortcut A with pads that the graph computes",
            "ChannelPad Convolution",
            4,
            g -> computedPads(g).conv("b", "p", 8, 4, 1, 1)),
        between(
            "every second pixel",
            "max",
            4,
            g ->
                g.wholes("from", 0, 0)
                    .wholes("to", Long.MAX_VALUE, Long.MAX_VALUE)
                    .wholes("axes", 2, 3)
                    .wholes("steps", 2, 2)
                    .node("Slice", "a from to axes steps", "b")),
        of(
            "channels last",
            "Convolution" + HEAD,
            new GraphBuilder()
                .image(0, 9, 8, 3)
                .node("Transpose", "x", "t", ints("perm", 0, 3, 1, 2))
                .conv("a", "t", 3, 4, 3, 1)
                .node("Transpose", "a", "l", ints("perm", 0, 2, 3, 1))
                .node("ReduceMean", "l", "m", ints("axes", 1, 2), integer("keepdims", 0))
                .linear("m", 4)),
        of(
            "weights filled with one number",
            "Convolution" + HEAD,
            graph()
                .wholes("sizes", 4, 3, 1, 1)
                .node(
                    "ConstantOfShape",
                    "sizes",
                    "w",
                    tensor("value", GraphBuilder.floatTensor("", new float[] {.5f}, 1)))
                .node("Conv", "x w", "b")
                .head("b", 4)),
        of(
            "one weight for two layers",
            "Convolution relu Convolution" + HEAD,
            graph()
                .random("w", .4, 3, 3, 3, 3)
                .node("Conv", "x w", "a")
                .node("Relu", "a", "r")
                .node("Conv", "r w", "b")
                .head("b", 3)));
  }

  private static GraphBuilder shortcut(GraphBuilder graph) {
    return graph
        .wholes("from", 0, 0)
        .wholes("to", 8, 8)
        .wholes("axes", 2, 3)
        .wholes("steps", 2, 2)
        .wholes("pads", 0, 2, 0, 0, 0, 2, 0, 0)
        .node("Slice", "a from to axes steps", "s")
        .node("Pad", "s pads", "p", text("mode", "constant"));
  }

  /** As PyTorch exports them: the pads are put in order by slices with a negative step. */
  private static GraphBuilder computedPads(GraphBuilder graph) {
    TensorProto zero =
        GraphBuilder.tensor("", TensorProto.DataType.INT64, 1).addInt64Data(0).build();
    return graph
        .wholes("from", 0)
        .wholes("to", Long.MAX_VALUE)
        .wholes("rows", 2)
        .wholes("columns", 3)
        .wholes("step", 2)
        .node("Slice", "a from to rows step", "s0")
        .node("Slice", "s0 from to columns step", "s")
        .wholes("inner", 0, 0, 0, 0, 2, 2)
        .wholes("more", 2)
        .node("ConstantOfShape", "more", "zeros", tensor("value", zero))
        .node("Concat", "inner zeros", "all", integer("axis", 0))
        .wholes("pairs", -1, 2)
        .node("Reshape", "all pairs", "matrix")
        .wholes("axis", 0)
        .wholes("last", -1)
        .wholes("end", -Long.MAX_VALUE)
        .wholes("back", -1)
        .node("Slice", "matrix last end axis back", "turned")
        .node("Transpose", "turned", "columns2", ints("perm", 1, 0))
        .node("Reshape", "columns2 last", "flat")
        .node("Cast", "flat", "pads", integer("to", 7))
        .node("Pad", "s pads", "p");
  }
}
