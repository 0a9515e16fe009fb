package org.hast4j.source.onnx;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Writes small graphs, with random weights. */
final class GraphBuilder {
  static final int CLASSES = 5;

  private final GraphProto.Builder graph = GraphProto.newBuilder().setName("small");
  private final Random random = new Random(11);
  private int opset = 13;

  /** Sizes of 0 are open. */
  GraphBuilder image(long... sizes) {
    return image(TensorProto.DataType.FLOAT, sizes);
  }

  GraphBuilder image(TensorProto.DataType type, long... sizes) {
    graph.addInput(info("x", type, sizes));
    return this;
  }

  static ValueInfoProto info(String name, TensorProto.DataType type, long... sizes) {
    TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
    for (long size : sizes) {
      TensorShapeProto.Dimension.Builder dimension = TensorShapeProto.Dimension.newBuilder();
      shape.addDim(
          size == 0
              ? dimension.setDimParam("n" + shape.getDimCount())
              : dimension.setDimValue(size));
    }
    return ValueInfoProto.newBuilder()
        .setName(name)
        .setType(
            TypeProto.newBuilder()
                .setTensorType(
                    TypeProto.Tensor.newBuilder().setElemType(type.getNumber()).setShape(shape)))
        .build();
  }

  GraphBuilder opset(int version) {
    opset = version;
    return this;
  }

  GraphProto.Builder graph() {
    return graph;
  }

  /** A tensor of normal random numbers around 0. */
  GraphBuilder random(String name, double scale, long... sizes) {
    return random(name, 0, scale, sizes);
  }

  GraphBuilder random(String name, double mean, double scale, long... sizes) {
    int count = 1;
    for (long size : sizes) {
      count *= Math.toIntExact(size);
    }
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (mean + scale * random.nextGaussian());
    }
    return floats(name, values, sizes);
  }

  GraphBuilder floats(String name, float[] values, long... sizes) {
    graph.addInitializer(floatTensor(name, values, sizes));
    return this;
  }

  static TensorProto floatTensor(String name, float[] values, long... sizes) {
    ByteBuffer bytes =
        ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return tensor(name, TensorProto.DataType.FLOAT, sizes)
        .setRawData(ByteString.copyFrom(bytes))
        .build();
  }

  static TensorProto.Builder tensor(String name, TensorProto.DataType type, long... sizes) {
    TensorProto.Builder tensor =
        TensorProto.newBuilder().setName(name).setDataType(type.getNumber());
    for (long size : sizes) {
      tensor.addDims(size);
    }
    return tensor;
  }

  /** Whole numbers in a row. */
  GraphBuilder wholes(String name, long... values) {
    TensorProto.Builder tensor = tensor(name, TensorProto.DataType.INT64, values.length);
    for (long value : values) {
      tensor.addInt64Data(value);
    }
    graph.addInitializer(tensor);
    return this;
  }

  /** One number without an axis. */
  GraphBuilder scalar(String name, float value) {
    return floats(name, new float[] {value});
  }

  /**
   * A node.
   *
   * @param inputs with blanks between them; - is one that is left out
   * @param outputs likewise
   */
  GraphBuilder node(String op, String inputs, String outputs, AttributeProto... attributes) {
    NodeProto.Builder node =
        NodeProto.newBuilder().setOpType(op).setName(op + "_" + graph.getNodeCount());
    for (String input : inputs.isEmpty() ? new String[0] : inputs.split(" ")) {
      node.addInput(input.equals("-") ? "" : input);
    }
    node.addAllOutput(Arrays.asList(outputs.split(" ")));
    node.addAllAttribute(List.of(attributes));
    graph.addNode(node);
    return this;
  }

  static AttributeProto ints(String name, long... values) {
    AttributeProto.Builder attribute =
        AttributeProto.newBuilder().setName(name).setType(AttributeProto.AttributeType.INTS);
    for (long value : values) {
      attribute.addInts(value);
    }
    return attribute.build();
  }

  static AttributeProto integer(String name, long value) {
    return AttributeProto.newBuilder()
        .setName(name)
        .setType(AttributeProto.AttributeType.INT)
        .setI(value)
        .build();
  }

  static AttributeProto real(String name, float value) {
    return AttributeProto.newBuilder()
        .setName(name)
        .setType(AttributeProto.AttributeType.FLOAT)
        .setF(value)
        .build();
  }

  static AttributeProto text(String name, String value) {
    return AttributeProto.newBuilder()
        .setName(name)
        .setType(AttributeProto.AttributeType.STRING)
        .setS(ByteString.copyFromUtf8(value))
        .build();
  }

  static AttributeProto tensor(String name, TensorProto value) {
    return AttributeProto.newBuilder()
        .setName(name)
        .setType(AttributeProto.AttributeType.TENSOR)
        .setT(value)
        .build();
  }

  /** A square convolution with padding that keeps the size at stride 1, without a bias. */
  GraphBuilder conv(String name, String input, int inputs, int outputs, int kernel, int stride) {
    int pad = kernel / 2;
    return random(name + ".weight", .4, outputs, inputs, kernel, kernel)
        .node(
            "Conv",
            input + " " + name + ".weight",
            name,
            ints("kernel_shape", kernel, kernel),
            ints("pads", pad, pad, pad, pad),
            ints("strides", stride, stride));
  }

  GraphBuilder batchNorm(String name, String input, int channels) {
    return random(name + ".weight", 1, .2, channels)
        .random(name + ".bias", .2, channels)
        .random(name + ".running_mean", .2, channels)
        .random(name + ".running_var", 1, .05, channels)
        .node(
            "BatchNormalization",
            "%2$s %1$s.weight %1$s.bias %1$s.running_mean %1$s.running_var".formatted(name, input),
            name,
            real("epsilon", 1e-3f));
  }

  /** Mean, flattening and a linear layer: logits of an image. */
  GraphBuilder head(String input, int channels) {
    return node("GlobalAveragePool", input, "pooled")
        .node("Flatten", "pooled", "vector")
        .linear("vector", channels);
  }

  GraphBuilder linear(String input, int features) {
    return random("fc.weight", .5, CLASSES, features)
        .random("fc.bias", .5, CLASSES)
        .node("Gemm", input + " fc.weight fc.bias", "y", integer("transB", 1))
        .output("y");
  }

  GraphBuilder output(String name, long... sizes) {
    graph.addOutput(
        info(
            name, TensorProto.DataType.FLOAT, sizes.length == 0 ? new long[] {0, CLASSES} : sizes));
    return this;
  }

  ModelProto build() {
    return ModelProto.newBuilder()
        .setIrVersion(8)
        .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(opset))
        .setGraph(graph)
        .build();
  }

  byte[] bytes() {
    return build().toByteArray();
  }
}
