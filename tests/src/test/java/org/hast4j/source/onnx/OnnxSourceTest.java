package org.hast4j.source.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.hast4j.source.onnx.GraphBuilder.integer;
import static org.hast4j.source.onnx.GraphBuilder.ints;

import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.ByteString;
import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.StoredTensor;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.model.Window;
import org.hast4j.source.Source;
import org.hast4j.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Where a graph's tensors stand, what its image is, and what is left out of it. */
class OnnxSourceTest {
  private static final float[] VALUES = {1.5f, -2, .25f, 4, -.5f, 96};

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  @TempDir private Path folder;

  private static GraphBuilder graph() {
    return new GraphBuilder().image(0, 3, 1, 1);
  }

  /** Two classes of three features, by a weight of these values. */
  private static GraphBuilder classifier(TensorProto.Builder weight) {
    GraphBuilder graph = graph().node("Flatten", "x", "f");
    graph.graph().addInitializer(weight.setName("w"));
    return graph.node("Gemm", "f w", "y", integer("transB", 1)).output("y", 0, 2);
  }

  private static ByteString halves(UnaryOperator<Float> identity, boolean brain) {
    ByteBuffer bytes = ByteBuffer.allocate(12).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : VALUES) {
      bytes.putShort(half(identity.apply(value), brain));
    }
    return ByteString.copyFrom(bytes.flip());
  }

  private static short half(float value, boolean brain) {
    return brain ? (short) (Float.floatToIntBits(value) >> 16) : Float.floatToFloat16(value);
  }

  static Stream<Arguments> types() {
    TensorProto.Builder floats = GraphBuilder.tensor("", TensorProto.DataType.FLOAT, 2, 3);
    TensorProto.Builder doubles = GraphBuilder.tensor("", TensorProto.DataType.DOUBLE, 2, 3);
    TensorProto.Builder halves = GraphBuilder.tensor("", TensorProto.DataType.FLOAT16, 2, 3);
    TensorProto.Builder brains = GraphBuilder.tensor("", TensorProto.DataType.BFLOAT16, 2, 3);
    ByteBuffer wide = ByteBuffer.allocate(48).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : VALUES) {
      floats.addFloatData(value);
      doubles.addDoubleData(value);
      halves.addInt32Data(half(value, false) & 0xffff);
      brains.addInt32Data(half(value, true) & 0xffff);
      wide.putDouble(value);
    }
    return Stream.of(
        Arguments.of(DType.F32, floats),
        Arguments.of(DType.F64, doubles),
        Arguments.of(DType.F16, halves),
        Arguments.of(DType.BF16, brains),
        Arguments.of(DType.F32, GraphBuilder.floatTensor("", VALUES, 2, 3).toBuilder()),
        Arguments.of(
            DType.F64,
            GraphBuilder.tensor("", TensorProto.DataType.DOUBLE, 2, 3)
                .setRawData(ByteString.copyFrom(wide.flip()))),
        Arguments.of(
            DType.F16,
            GraphBuilder.tensor("", TensorProto.DataType.FLOAT16, 2, 3)
                .setRawData(halves(UnaryOperator.identity(), false))),
        Arguments.of(
            DType.BF16,
            GraphBuilder.tensor("", TensorProto.DataType.BFLOAT16, 2, 3)
                .setRawData(halves(UnaryOperator.identity(), true))));
  }

  /** All of the values are numbers of all of the types. */
  @ParameterizedTest
  @MethodSource("types")
  void readsTensorsOfEveryType(DType type, TensorProto.Builder weight) {
    Source source = Onnx.read(classifier(weight).bytes());
    StoredTensor tensor = source.tensors().get("Gemm_1.weight");
    assertThat(tensor.dtype()).isEqualTo(type);
    assertThat(tensor.name()).isEqualTo("w");
    assertThat(tensor.floats()).containsExactly(VALUES);
  }

  private static TensorProto.Builder external(String location, String offset, String length) {
    TensorProto.Builder tensor =
        GraphBuilder.tensor("", TensorProto.DataType.FLOAT, 2, 3)
            .setDataLocation(TensorProto.DataLocation.EXTERNAL);
    String[][] entries = {{"location", location}, {"offset", offset}, {"length", length}};
    for (String[] entry : entries) {
      if (!entry[1].isEmpty()) {
        tensor.addExternalData(
            StringStringEntryProto.newBuilder().setKey(entry[0]).setValue(entry[1]));
      }
    }
    return tensor;
  }

  private Source withData(TensorProto.Builder weight) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(40).order(ByteOrder.LITTLE_ENDIAN).position(16);
    for (float value : VALUES) {
      bytes.putFloat(value);
    }
    Files.write(folder.resolve("small.onnx.data"), bytes.array());
    return Onnx.read(Files.write(folder.resolve("small.onnx"), classifier(weight).bytes()));
  }

  @Test
  void readsTensorsOfAFileBesideIt() throws IOException {
    for (String length : new String[] {"24", ""}) {
      Source source = withData(external("small.onnx.data", "16", length));
      assertThat(source.tensors().get("Gemm_1.weight").floats()).containsExactly(VALUES);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "small.onnx.data | 17 | 24 | 24 bytes at offset 17 of \"small.onnx.data\", which ends at"
            + " 40",
        "small.onnx.data | 9223372036854775807 | 24 | which ends at 40",
        "small.onnx.data | -1 | 24 | external data of offset \"-1\", which is no size",
        "small.onnx.data | 16 | 20 | needs 24 bytes, its external data has length 20",
        "other.data | 0 | 24 | stand in \"other.data\", which is missing: it belongs beside",
        "../small.onnx.data | 0 | 24 | \"../small.onnx.data\", which is no file of the .onnx file's"
            + " folder",
        "/etc/passwd | 0 | 24 | which is no file of the .onnx file's folder",
        "a/../../b | 0 | 24 | which is no file of the .onnx file's folder",
        "'' | 0 | 24 | which is no file of the .onnx file's folder"
      })
  void namesWhatIsWrongWithAFileBesideIt(
      String location, String offset, String length, String message) {
    assertThatThrownBy(() -> withData(external(location, offset, length)))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining(message);
  }

  /** Whatever the size of a batch is, or is called. */
  @ParameterizedTest
  @CsvSource({"0, 0", "1, 1", "2, 2", "2, -1"})
  void aBatchIsOfAnySize(long batch, long reshaped) {
    GraphBuilder graph =
        new GraphBuilder()
            .image(batch, 3, 2, 2)
            .wholes("s", reshaped, 12)
            .node("Reshape", "x s", "f")
            .linear("f", 12);
    Model model = Onnx.read(graph.bytes()).model().orElseThrow();
    assertThat(Onnx.layers(model)).isEqualTo("Flatten Linear");
  }

  /** Padding only below and right, for the last windows of a pool that rounds up. */
  @Test
  void poolsOfAnyWindowAreDescribed() {
    GraphBuilder graph =
        new GraphBuilder()
            .image(0, 3, 8, 7)
            .node(
                "MaxPool",
                "x",
                "a",
                ints("kernel_shape", 3, 2),
                ints("strides", 2, 2),
                integer("ceil_mode", 1))
            .node(
                "AveragePool",
                "a",
                "b",
                ints("kernel_shape", 3, 2),
                ints("strides", 2, 1),
                integer("ceil_mode", 1),
                integer("count_include_pad", 1))
            .head("b", 3);
    Model model = Onnx.read(graph.bytes()).model().orElseThrow();
    assertThat(model.op("MaxPool_0"))
        .contains(pool(Operator.Pool.Kind.MAX, new Window.Size(2, 2), 1, 1));
    // 8 x 7 come to 4 x 4, and these to 2 x 3: a row below, which is not counted.
    assertThat(model.op("AveragePool_1"))
        .contains(pool(Operator.Pool.Kind.AVERAGE_UNPADDED, new Window.Size(2, 1), 1, 0));
    assertThat(model.shape("AveragePool_1").sizes()).containsExactly(2, 3, 3);
  }

  private static Operator pool(
      Operator.Pool.Kind kind, Window.Size strides, int bottom, int right) {
    return new Operator.Pool(
        kind,
        new Window(
            new Window.Size(3, 2),
            strides,
            new Window.Padding(0, 0, bottom, right),
            new Window.Size(1, 1)));
  }

  /** (v - 127.5) / 50 of bytes: whoever prepares images divides by 255 first. */
  @Test
  void theNormalizationOfAGraphIsLeftOut() {
    GraphBuilder graph =
        new GraphBuilder()
            .image(0, 3, 4, 4)
            .floats("mean", new float[] {127.5f, 51, 102}, 1, 3, 1, 1)
            .scalar("std", 51)
            .node("Sub", "x mean", "a")
            .node("Div", "a std", "b")
            .conv("c", "b", 3, 4, 3, 1)
            .head("c", 4);
    byte[] bytes = graph.bytes();
    Source source = Onnx.read(bytes);
    assertThat(source.metadata())
        .containsEntry(OnnxSource.MEAN, "[0.5, 0.2, 0.4]")
        .containsEntry(OnnxSource.STD, "[0.2, 0.2, 0.2]");
    assertThat(source.notes())
        .anyMatch(note -> note.startsWith("the normalization in the graph is left to"));
    Model model = source.model().orElseThrow();
    float[] raw = Onnx.pixels(model.input());
    float[] normalized = new float[raw.length];
    float[] mean = {.5f, .2f, .4f};
    for (int i = 0; i < raw.length; i++) {
      raw[i] = 128 + 60 * raw[i];
      normalized[i] = (raw[i] / 255 - mean[i % 3]) / .2f;
    }
    Onnx.assertAlike(
        Onnx.logits(DEVICES.open(), Onnx.network(source), normalized),
        Onnx.reference(bytes, model.input(), raw, Onnx.IMAGES, true),
        1e-4);
  }

  @Test
  void whatIsLeftOutIsSaid() {
    GraphBuilder graph =
        graph()
            .scalar("unused", 1)
            .node("Flatten", "x", "f")
            .random("w", 1, 3, 4)
            .node("MatMul", "f w", "l")
            .node("Softmax", "l", "p")
            .node("ArgMax", "p", "y", integer("axis", 1))
            .node("Relu", "f", "features")
            .output("features", 0, 3, 1, 1)
            .output("y", 0, 4);
    Source source = Onnx.read(graph.bytes());
    assertThat(source.notes())
        .containsExactly(
            "the final ArgMax is left out: classes stay the same",
            "the final Softmax is left out: classes stay the same",
            "of the outputs \"features\", \"y\", \"y\" is the classifier's",
            "left out 1 initializers that the output does not need: \"unused\"");
    assertThat(source.model().orElseThrow().classes()).isEqualTo(4);
  }

  /** Two layers of one node's name, and one of the input's. */
  @Test
  void layersHaveNamesOfTheirOwn() {
    GraphBuilder graph =
        new GraphBuilder()
            .image(0, 3, 4, 4)
            .random("x.weight", .4, 3, 3, 1, 1)
            .node("Conv", "x x.weight", "a")
            .node("Conv", "a x.weight", "b")
            .head("b", 3);
    Source source = Onnx.read(graph.bytes());
    assertThat(source.model().orElseThrow().names(Operator.Convolution.class))
        .containsExactly("x_1", "x_2");
    assertThat(source.tensors().get("x_1.weight").floats())
        .containsExactly(source.tensors().get("x_2.weight").floats());
  }

  /** A graph of 16 MB: its values are copied once, when they are asked for. */
  @Test
  void valuesAreCopiedOnce() throws IOException {
    GraphBuilder graph =
        new GraphBuilder()
            .image(0, 1000, 1, 1)
            .node("Flatten", "x", "f")
            .random("a", 1, 1000, 2000)
            .random("b", 1, 1000, 2000)
            .node("MatMul", "f a", "g")
            .node("Gemm", "g b", "y", integer("transB", 1))
            .output("y", 0, 1000);
    Path file = Files.write(folder.resolve("large.onnx"), graph.bytes());
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long before = threads.getCurrentThreadAllocatedBytes();
    Source source = Onnx.read(file);
    double sum = 0;
    for (StoredTensor tensor : source.tensors().values()) {
      sum += tensor.floats()[1];
    }
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    assertThat(allocated).isBetween(16_000_000L, 18_000_000L);
    float[] a = source.tensors().get("MatMul_1.weight").floats();
    assertThat(source.tensors().get("MatMul_1.weight").shape().sizes()).containsExactly(2000, 1000);
    assertThat(sum)
        .isEqualTo(a[1] + (double) source.tensors().get("Gemm_2.weight").floats()[1], within(1e-6));
  }

  @Test
  void looksLikeAnOnnxFile() {
    assertThat(OnnxSource.looksLike(MemorySegment.ofArray(graph().head("x", 3).bytes()))).isTrue();
    for (byte[] bytes :
        new byte[][] {{}, {8, 8}, {(byte) 0x80, 2, 0, 0, 0, 0, 0, 0}, {8, 8, 0, 0, 0, 0, 0, 0}}) {
      assertThat(OnnxSource.looksLike(MemorySegment.ofArray(bytes))).isFalse();
    }
  }
}
