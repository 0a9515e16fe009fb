package org.hast4j.source.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.LongStream;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.io.CorruptFileException;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.source.Source;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Graphs of others, by several exporters; they may not be passed on, so the test skips where they
 * are not at hand.
 */
class OnnxFilesTest {
  private static final Path FOLDER = Path.of("../../shared/networks");

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  private static Path file(String name) {
    Path file = FOLDER.resolve(name);
    assumeTrue(Files.isRegularFile(file), () -> "skipped: no " + file);
    return file;
  }

  private static float[] reference(byte[] bytes, Model model, float[] pixels) {
    return Onnx.reference(bytes, model.input(), pixels, 1, true);
  }

  @ParameterizedTest
  @CsvSource({
    "onnc_resnet20.onnx, 72, 21, conv1, ResBlock2.0.downsample.0",
    "vnncomp2021_resnet_4b.onnx, 28, 0, layer1.0.conv1, linear2",
    "hairymax_AntiSpoofing_bin_1.5_128.onnx, 116, 1, Conv_0, Conv_33"
  })
  void computesWhatTheGraphSays(String name, int layers, int norms, String layer, String another)
      throws IOException {
    Path file = file(name);
    Source source = Onnx.read(file);
    Model model = source.model().orElseThrow();
    assertThat(model.layers()).hasSize(layers);
    assertThat(model.names(Operator.BatchNorm.class)).hasSize(norms);
    assertThat(model.layer(layer)).isPresent();
    assertThat(model.layer(another)).isPresent();
    float[] pixels = Onnx.pixels(model.input());
    Onnx.assertAlike(
        Onnx.logits(DEVICES.open(), Onnx.network(source), pixels),
        reference(Files.readAllBytes(file), model, pixels),
        1e-4);
  }

  @Test
  void namesTheFileThatIsMissing() {
    Path file = file("kakao16_mobilenetv2_cifar10_external-data-missing.onnx");
    assertThatThrownBy(() -> Onnx.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("\"mobilenetv2_cifar10.onnx.data\", which is missing")
        .hasMessageContaining("belongs beside the .onnx file");
  }

  /**
   * Their weights are all alike, so that almost any graph gives what they give: others are put in.
   */
  @ParameterizedTest
  @CsvSource({"light_resnet50.onnx, 174, 53", "light_shufflenet.onnx, 169, 49"})
  void computesGraphsOfOneNumberWithOthers(String name, int layers, int norms) throws IOException {
    Path file = file(name);
    Source asTheyAre = Onnx.read(file);
    assertThat(asTheyAre.notes())
        .anyMatch(note -> note.startsWith("the final Softmax is left out"));
    ModelProto filled = withRandomWeights(ModelProto.parseFrom(Files.readAllBytes(file)));
    Source source = Onnx.read(filled.toByteArray());
    Model model = source.model().orElseThrow();
    assertThat(model).isEqualTo(asTheyAre.model().orElseThrow());
    assertThat(model.layers()).hasSize(layers);
    assertThat(model.names(Operator.BatchNorm.class)).hasSize(norms);
    float[] pixels = Onnx.pixels(model.input());
    Onnx.assertAlike(
        Onnx.logits(DEVICES.open(), Onnx.network(source), pixels),
        reference(filled.toByteArray(), model, pixels),
        1e-4);
  }

  /** Random weights for all, and logits instead of probabilities, which are hard to compare. */
  private static ModelProto withRandomWeights(ModelProto model) {
    GraphProto graph = model.getGraph();
    Map<String, String> roles = new HashMap<>();
    for (NodeProto node : graph.getNodeList()) {
      for (int i = 1; i < node.getInputCount(); i++) {
        roles.put(node.getInput(i), node.getOpType() + i);
      }
    }
    Map<String, TensorProto> tensors = new HashMap<>();
    graph.getInitializerList().forEach(tensor -> tensors.put(tensor.getName(), tensor));
    Random random = new Random(9);
    List<TensorProto> added = new ArrayList<>();
    Set<String> replaced = new HashSet<>();
    GraphProto.Builder changed = graph.toBuilder().clearNode().clearInitializer().clearOutput();
    for (NodeProto node : graph.getNodeList()) {
      switch (node.getOpType()) {
        case "ConstantOfShape" ->
            added.add(
                random(node.getOutput(0), sizes(tensors.get(node.getInput(0))), roles, random));
        case "Softmax" ->
            changed.addOutput(
                ValueInfoProto.newBuilder(graph.getOutput(0)).setName(node.getInput(0)));
        default -> changed.addNode(node);
      }
    }
    for (TensorProto tensor : graph.getInitializerList()) {
      if (tensor.getDataType() == TensorProto.DataType.FLOAT.getNumber()
          && roles.containsKey(tensor.getName())) {
        long[] sizes = tensor.getDimsList().stream().mapToLong(Long::longValue).toArray();
        added.add(random(tensor.getName(), sizes, roles, random));
        replaced.add(tensor.getName());
      }
    }
    assertThat(added).hasSizeGreaterThan(200);
    for (TensorProto tensor : graph.getInitializerList()) {
      if (!replaced.contains(tensor.getName())) {
        changed.addInitializer(tensor);
      }
    }
    return model.toBuilder().setGraph(changed.addAllInitializer(added)).build();
  }

  private static long[] sizes(TensorProto tensor) {
    ByteBuffer bytes = tensor.getRawData().asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    return LongStream.range(0, bytes.remaining() / Long.BYTES).map(_ -> bytes.getLong()).toArray();
  }

  private static TensorProto random(
      String name, long[] sizes, Map<String, String> roles, Random random) {
    int count = (int) LongStream.of(sizes).reduce(1, (a, b) -> a * b);
    double scale = sizes.length > 1 ? Math.sqrt(2. * sizes[0] / count) : .1;
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      double normal = random.nextGaussian();
      values[i] =
          (float)
              switch (roles.getOrDefault(name, "")) {
                case "BatchNormalization1" -> 1 + .1 * normal;
                case "BatchNormalization4" -> 1 + .2 * Math.abs(normal);
                default -> scale * normal;
              };
    }
    return GraphBuilder.floatTensor(name, values, sizes);
  }

  /** What a converter has left of a network: the tensors have the names that PyTorch gave them. */
  @Test
  void tensorsHaveTheModelsNames() {
    Source source = Onnx.read(file("onnc_resnet20.onnx"));
    Model model = source.model().orElseThrow();
    Set<String> names = new HashSet<>(model.parameters().keySet());
    names.addAll(model.statistics().keySet());
    assertThat(source.tensors().keySet()).isEqualTo(names);
    assertThat(source.tensors().keySet())
        .contains("ResBlock3.2.bn2.running_var", "fc.weight", "conv1.weight");
    assertThat(source.tensors().get("fc.weight").shape().sizes()).containsExactly(10, 64);
    assertThat(Collections.max(model.names(Operator.Linear.class))).isEqualTo("fc");
  }
}
