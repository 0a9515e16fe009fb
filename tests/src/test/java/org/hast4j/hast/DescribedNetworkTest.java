package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.failure.RefusedException;
import org.hast4j.forward.QuantizationState;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.ModelDescription;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.model.QuantizationPoints;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.quant.QuantizedNetwork;
import org.hast4j.tensor.Shape;
import org.hast4j.zoo.Given;
import org.hast4j.zoo.NetworkReader;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A network of no known family: its structure as JSON, as people write it, beside its tensors. */
class DescribedNetworkTest {
  private static final String PLAIN =
      """
      {
        "format": 1,
        "name": "plain",
        "input": {"height": 20, "width": 16, "channels": 3, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]},
        "layers": [
          {"name": "stem", "op": "convolution", "inputs": ["image"], "in_channels": 3, "out_channels": 6, "kernel": 5, "padding": 2},
          {"name": "stem_bn", "op": "batch_norm", "inputs": ["stem"], "channels": 6, "epsilon": 0.001},
          {"name": "stem_act", "op": "activation", "inputs": ["stem_bn"], "function": "relu", "ceiling": 6},
          {"name": "down", "op": "pool", "kind": "max", "inputs": ["stem_act"], "kernel": 2, "stride": 2},
          {"name": "body", "op": "convolution", "inputs": ["down"], "in_channels": 6, "out_channels": 10, "kernel": 3, "padding": 1},
          {"name": "body_bn", "op": "batch_norm", "inputs": ["body"], "channels": 10, "epsilon": 0.001},
          {"name": "body_act", "op": "activation", "inputs": ["body_bn"], "function": "relu"},
          {"name": "tail", "op": "convolution", "inputs": ["body_act"], "in_channels": 10, "out_channels": 12, "kernel": 3, "stride": 2},
          {"name": "tail_bn", "op": "batch_norm", "inputs": ["tail"], "channels": 12, "epsilon": 0.001},
          {"name": "tail_act", "op": "activation", "inputs": ["tail_bn"], "function": "relu"},
          {"name": "mean", "op": "global_average_pool", "inputs": ["tail_act"]},
          {"name": "head", "op": "linear", "inputs": ["mean"], "in_features": 12, "out_features": 7}
        ],
        "output": "head"
      }
      """;
  private static final Map<String, String> TINY =
      Map.of(
          "synthesis.images", "4",
          "synthesis.batch", "4",
          "synthesis.iterations", "2",
          "calibration.iterations", "3",
          "calibration.batch", "4",
          "calibration.latent", "4",
          "fine-tuning.steps", "2",
          "fine-tuning.batch", "2");

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  @TempDir private Path scratch;
  private Path tensors;

  /** A state dict as PyTorch has it, weights [o, i, h, w], without a word of the structure. */
  @BeforeEach
  void writeTensors() {
    Random random = new Random(3);
    SafetensorsWriter writer = new SafetensorsWriter();
    int[][] convolutions = {{6, 3, 5, 5}, {10, 6, 3, 3}, {12, 10, 3, 3}};
    List<String> names = List.of("stem", "body", "tail");
    for (int i = 0; i < names.size(); i++) {
      int[] s = convolutions[i];
      put(writer, names.get(i) + ".weight", random, .2, s[0], s[1], s[2], s[3]);
      put(writer, names.get(i) + "_bn.weight", random, 1, s[0]);
      put(writer, names.get(i) + "_bn.bias", random, .1, s[0]);
      put(writer, names.get(i) + "_bn.running_mean", random, .1, s[0]);
      put(writer, names.get(i) + "_bn.running_var", random, 1, s[0]);
    }
    put(writer, "head.weight", random, .3, 7, 12);
    put(writer, "head.bias", random, .1, 7);
    tensors = scratch.resolve("plain.safetensors");
    writer.write(tensors);
  }

  private static void put(
      SafetensorsWriter writer, String name, Random random, double scale, long... sizes) {
    Shape shape = Shape.of(sizes);
    float[] values = new float[Math.toIntExact(shape.elements())];
    for (int i = 0; i < values.length; i++) {
      double value = scale * random.nextGaussian();
      values[i] = (float) (name.endsWith("_var") ? .5 + Math.abs(value) : value);
    }
    writer.put(name, shape, values);
  }

  private ModelDescription description(String json) throws IOException {
    return Checkpoint.description(Files.writeString(scratch.resolve("plain.json"), json));
  }

  private Network network(String json) throws IOException {
    return NetworkReader.read(tensors, Given.of(Optional.of(description(json)), Optional.empty()))
        .network();
  }

  private Hast.Result quantize(Network network, Scheme scheme, String folder, boolean resume) {
    Job job =
        new Job(
            network, "none", scheme, Recipe.read("balanced", TINY), new Images.Synthesized(), 1);
    return new Run(DEVICES.open(), new Listener() {}, Duration.ofDays(1))
        .quantize(job, scratch.resolve(folder), resume, Optional.empty());
  }

  @Test
  void quantizesFromEndToEnd() throws IOException {
    Network network = network(PLAIN);
    Scheme scheme =
        Scheme.of(
            network.model(),
            new Bits(4, 4),
            Map.of("first", new Bits(8, 8), "tail", new Bits(2, 6)));
    Hast.Result result = quantize(network, scheme, "run", false);
    assertThat(result.warning().orElseThrow()).contains("plain has no residual unit");
    Path file = scratch.resolve("run/quantised.safetensors");
    QuantizedNetwork read = QuantizedNetwork.read(file);
    assertThat(read.model()).isEqualTo(network.model());
    assertThat(read.scheme()).isEqualTo(scheme);
    assertThat(read.normalization()).isEqualTo(network.normalization());
    assertThat(read.ranges().keySet()).containsExactly("stem_act", "body_act", "tail_act");
    assertThat(read.ranges()).isEqualTo(result.network().ranges());
    assertThat(read.weights().get("stem.weight").bits()).isEqualTo(8);
    assertThat(Arrays.stream(read.weights().get("stem.weight").levels()).max().orElseThrow())
        .isEqualTo(255);
    assertThat(Arrays.stream(read.weights().get("tail.weight").levels()).max().orElseThrow())
        .isEqualTo(3);
    assertThat(scratch.resolve("run/run.json")).content().contains("\"tail\" : \"W2A6\"");
    assertThat(scratch.resolve("run/result.json")).content().contains("\"alignment_taps\" : [ ]");
    float[] image = new float[network.model().input().size()];
    float[] logits = new float[7];
    try (Memory memory = new Memory(DEVICES.open());
        Evaluation evaluation = Evaluation.of(memory, read, 1)) {
      evaluation.run(image, logits);
    }
    assertThat(logits).doesNotContain(Float.NaN).doesNotHaveDuplicates();
  }

  /** In front of every layer with weights, the image at 8 bits; and back from the file. */
  @Test
  void quantizesWhatLayersRead() throws IOException {
    Network network = network(PLAIN);
    Scheme scheme = new Scheme(new Bits(4, 4)).at(QuantizationPoints.INPUTS);
    Hast.Result result = quantize(network, scheme, "run", false);
    QuantizedNetwork read = QuantizedNetwork.read(scratch.resolve("run/quantised.safetensors"));
    assertThat(read.scheme()).isEqualTo(scheme);
    assertThat(read.ranges()).isEqualTo(result.network().ranges());
    assertThat(read.ranges().keySet()).containsExactly("stem", "body", "tail", "head");
    QuantizationState quantization = QuantizationState.of(network.model(), scheme);
    assertThat(quantization.quantizers().bits())
        .containsExactly(
            Map.entry("stem", 8), Map.entry("body", 4), Map.entry("tail", 4), Map.entry("head", 4));
  }

  /** What identifies a run: bits of single layers, and a structure that no name stands for. */
  @Test
  void anotherRunIsNotResumed() throws IOException {
    Network network = network(PLAIN);
    Scheme scheme = new Scheme(new Bits(4, 4));
    quantize(network, scheme, "run", false);
    quantize(network, scheme, "run", true);
    Scheme other = Scheme.of(network.model(), new Bits(4, 4), Map.of("last", new Bits(8, 8)));
    assertThatThrownBy(() -> quantize(network, other, "run", true))
        .hasMessageContaining("another layer_bits ({}, not {head=W8A8})");
    Network ceiling = network(PLAIN.replace("\"ceiling\": 6", "\"ceiling\": 5"));
    assertThatThrownBy(() -> quantize(ceiling, scheme, "run", true))
        .hasMessageContaining("another topology (plain ");
  }

  @Test
  void aNetworkThatSaysItsStructureComesBackWithoutTheFile() throws IOException {
    Network network = network(PLAIN);
    Path file = scratch.resolve("whole.safetensors");
    Checkpoint.write(file, network);
    Network read = NetworkReader.read(file);
    assertThat(read.model()).isEqualTo(network.model());
    assertThat(read.normalization()).isEqualTo(network.normalization());
    assertThat(read.weights()).usingRecursiveComparison().isEqualTo(network.weights());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"kernel\": 2, \"stride\": 2 | \"kernel\": 2, \"dilation\": [1, 2] | layer down cannot be"
            + " computed yet: its pool's window has a dilation (1x2)",
        "\"in_features\": 12 | \"in_features\": 13 | plain.json: the model: layer \"head\""
            + " (Linear[inputs=13, outputs=7, bias=true] of [n, 12])",
        "\"epsilon\": 0.001} | \"eps\": 0.001} | plain.json: the model: layers[1] \"stem_bn\": it"
            + " lacks \"epsilon\"",
        "\"kernel\": 5, \"padding\": 2 | \"kernel\": 7, \"padding\": 3 | tensor stem.weight has"
            + " shape [6, 3, 5, 5], plain needs [6, 3, 7, 7]",
        "\"name\": \"head\", \"op\" | \"name\": \"fc\", \"op\" | plain.json: the model: the output"
            + " is \"head\", which is no layer"
      })
  void whatCannotBeIsRefusedBeforeAnyWork(String good, String bad, String message) {
    assertThat(PLAIN).contains(good);
    assertThatThrownBy(() -> network(PLAIN.replace(good, bad)))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining(message);
  }

  @Test
  void aNetworkWithoutWeightsIsRefused() {
    Model.Builder net = new Model.Builder(new Model.Input(4, 4, 3));
    net.add("mean", new Operator.GlobalAveragePool(), Model.IMAGE);
    assertThatThrownBy(() -> new Network(net.build("bare"), Normalization.CIFAR10, Map.of()))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("bare has no convolution and no linear layer");
  }
}
