package org.hast4j.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Preprocessing;
import org.hast4j.model.Resize;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;
import org.hast4j.zoo.CifarResNet;
import org.hast4j.zoo.NetworkReader;
import org.hast4j.zoo.QuantizedFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Quantised networks in files that are not what they should be. */
class QuantizedFileTest {
  @TempDir Path folder;

  private static QuantizedNetwork network(int weightBits, int activationBits) {
    Model model = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
    Random random = new Random(5);
    Map<String, float[]> weights = new LinkedHashMap<>();
    for (ParameterLayout layout :
        new ParameterLayout[] {
          ParameterLayout.parameters(model), ParameterLayout.statistics(model)
        }) {
      for (String name : layout.names()) {
        float[] values = new float[Math.toIntExact(layout.get(name).type().shape().elements())];
        for (int i = 0; i < values.length; i++) {
          values[i] = random.nextFloat() + .1f;
        }
        weights.put(name, values);
      }
    }
    Scheme scheme =
        Scheme.of(model, new Bits(weightBits, activationBits), Map.of(Scheme.LAST, new Bits(8, 7)));
    Map<String, Range> ranges = new LinkedHashMap<>();
    scheme.quantizers(model).forEach(layer -> ranges.put(layer, new Range(0, ranges.size() + 1)));
    return QuantizedNetwork.of(
        new Network(model, Normalization.CIFAR10, weights),
        scheme,
        ranges,
        new Provenance("ab", "seed = 1", 1));
  }

  /** The file of a good network with one text and one tensor of its own. */
  private Path changed(String key, String text, String target, Object values) {
    Path original = folder.resolve("original.safetensors");
    network(4, 4).write(original);
    return changed(original, key, text, target, values);
  }

  private Path changed(Path original, String key, String text, String target, Object values) {
    Safetensors file = Safetensors.read(original);
    SafetensorsWriter writer = new SafetensorsWriter();
    file.metadata().forEach((k, v) -> writer.metadata(k, k.equals(key) ? text : v));
    for (String name : file.names()) {
      Safetensors.Tensor tensor = file.tensor(name);
      if (name.equals(target)) {
        switch (values) {
          case byte[] bytes -> writer.putUnsigned(name, Shape.of(bytes.length), bytes);
          case float[] floats -> writer.put(name, Shape.of(floats.length), floats);
          default -> throw new IllegalArgumentException(name);
        }
      } else if (tensor.dtype() == DType.U8) {
        writer.putUnsigned(name, tensor.shape(), tensor.bytes());
      } else {
        writer.put(name, tensor.shape(), tensor.floats());
      }
    }
    Path changed = folder.resolve("changed.safetensors");
    writer.write(changed);
    return changed;
  }

  private static void refused(Path file) {
    assertThatThrownBy(() -> QuantizedFile.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("changed.safetensors")
        .hasMessageNotContaining("null");
  }

  @Test
  void aGoodFileIsRead() {
    Path file = changed("", "", "", null);
    assertThat(QuantizedFile.read(file).weights().get("conv1.weight").levels())
        .containsExactly(network(4, 4).weights().get("conv1.weight").levels());
  }

  /** How its pictures get their size and what its classes are called, in both kinds of file. */
  @Test
  void whatAnImageIsAndMeansComesBack() {
    Network plain = network(4, 4).dequantized();
    Resize resize =
        new Resize(
            Optional.of(new Resize.ShorterSide(40)), Optional.of(Resize.Interpolation.BICUBIC));
    List<String> names =
        IntStream.range(0, plain.model().classes()).mapToObj("class %d"::formatted).toList();
    Network network = plain.with(new Preprocessing(plain.normalization(), resize), names);
    Path file = folder.resolve("network.safetensors");
    Checkpoint.write(file, network);
    for (Network read : List.of(Checkpoint.read(file), NetworkReader.read(file))) {
      assertThat(read.preprocessing()).isEqualTo(network.preprocessing());
      assertThat(read.classNames()).isEqualTo(names);
    }
    QuantizedNetwork quantized = network(4, 4);
    QuantizedNetwork.of(network, quantized.scheme(), quantized.ranges(), quantized.provenance())
        .write(file);
    Network read = QuantizedFile.read(file).dequantized();
    assertThat(read.preprocessing()).isEqualTo(network.preprocessing());
    assertThat(read.classNames()).isEqualTo(names);
    assertThat(read.withWeights(plain.weights()).classNames()).isEqualTo(names);
  }

  private static void same(QuantizedNetwork actual, QuantizedNetwork expected) {
    assertThat(actual.model()).isEqualTo(expected.model());
    assertThat(actual.normalization()).isEqualTo(expected.normalization());
    assertThat(actual.scheme()).isEqualTo(expected.scheme());
    assertThat(actual.ranges()).isEqualTo(expected.ranges());
    assertThat(actual.provenance()).isEqualTo(expected.provenance());
    assertThat(actual.floats()).usingRecursiveComparison().isEqualTo(expected.floats());
    assertThat(actual.weights()).usingRecursiveComparison().isEqualTo(expected.weights());
  }

  /** Also bits of a layer of its own: the classifier's. */
  @Test
  void everythingComesBack() {
    Path file = folder.resolve("network.safetensors");
    network(3, 4).write(file);
    QuantizedNetwork read = QuantizedFile.read(file);
    same(read, network(3, 4));
    assertThat(read.weights().get("fc.weight").bits()).isEqualTo(8);
    assertThat(read.weights().get("conv1.weight").bits()).isEqualTo(3);
    assertThat(Safetensors.read(file).tensor("layer1.0.relu1.activation_range").floats())
        .containsExactly(0, 2);
    assertThat(Safetensors.read(file).metadata())
        .containsEntry("alignment_taps", "[\"layer1.0.bn2\",\"layer2.0.bn2\",\"layer3.0.bn2\"]");
  }

  /** As the first format had it: the structure as a name, one bit width, ranges in order. */
  private Path ofTheFirstFormat(QuantizedNetwork network) {
    SafetensorsWriter writer =
        new SafetensorsWriter()
            .metadata("format", "hast4j-quantised-1")
            .metadata("topology", network.model().name())
            .metadata("mean", "[0.491, 0.482, 0.447]")
            .metadata("std", "[0.247, 0.243, 0.262]")
            .metadata("weight_bits", Integer.toString(network.scheme().bits().weights()))
            .metadata("activation_bits", Integer.toString(network.scheme().bits().activations()))
            .metadata("seed", "1")
            .metadata("source_sha256", "ab")
            .metadata("recipe", "seed = 1");
    network
        .weights()
        .forEach(
            (name, tensor) -> {
              byte[] packed = BitPacking.pack(tensor.levels(), tensor.bits());
              writer.putUnsigned(name + ".packed", Shape.of(packed.length), packed);
              writer.put(name + ".scale", Shape.of(tensor.scale().length), tensor.scale());
              writer.put(name + ".zero", Shape.of(tensor.zero().length), tensor.zero());
            });
    network.floats().forEach((name, v) -> writer.put(name, Shape.of(v.length), v));
    float[] ranges = {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7};
    writer.put("activation_ranges", Shape.of(7, 2), ranges);
    Path file = folder.resolve("first.safetensors");
    writer.write(file);
    return file;
  }

  private static QuantizedNetwork plain() {
    QuantizedNetwork mixed = network(4, 4);
    return QuantizedNetwork.of(
        mixed.dequantized(), new Scheme(new Bits(4, 4)), mixed.ranges(), mixed.provenance());
  }

  @Test
  void theFirstFormatIsRead() {
    same(QuantizedFile.read(ofTheFirstFormat(plain())), plain());
  }

  /** Whoever only runs networks has no names of built-in ones, and hears who has. */
  @Test
  void theFirstFormatNeedsTheNamesOfNetworks() {
    Path file = ofTheFirstFormat(plain());
    assertThatThrownBy(() -> QuantizedNetwork.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("format 1")
        .hasMessageContaining("hast4j-quantize");
  }

  @Test
  void aNewerFormatIsRefusedInWords() {
    Path file = changed("format", "hast4j-quantised-3", "", null);
    assertThat(QuantizedNetwork.isOne(Safetensors.read(file).metadata())).isTrue();
    assertThatThrownBy(() -> QuantizedFile.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("of format 3, this program reads up to 2: a newer one wrote it");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "hast4j_model; {}; its metadata hast4j_model: it lacks",
        "hast4j_model; {\"format\": 2}; a newer one wrote it",
        "scheme; {\"weight_bits\": 4}; its metadata scheme: it lacks \"activation_bits\"",
        "scheme; {\"weight_bits\": 9, \"activation_bits\": 4}; its metadata scheme: weights must"
            + " have 2 to 8 bits",
        "scheme; {\"weight_bits\": 4, \"activation_bits\": 4, \"layers\": {\"fd\":"
            + " {\"weight_bits\": 8, \"activation_bits\": 8}}}; the nearest names are fc,"
      })
  void whatDescribesNoNetwork(String key, String text, String message) {
    Path file = changed(key, text, "", null);
    assertThatThrownBy(() -> QuantizedFile.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("changed.safetensors")
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "weight_bits; 0",
        "weight_bits; 1",
        "weight_bits; 9",
        "weight_bits; -4",
        "weight_bits; 36",
        "weight_bits; 99999999999",
        "weight_bits; four",
        "activation_bits; 1",
        "activation_bits; 32",
        "topology; cifar-resnet8-w9999-b",
        "topology; cifar-resnet9998-w4-b",
        "topology; cifar-resnet8-w4-b-999999",
        "topology; cifar-resnet8-w4-b-100",
        "topology; vgg",
        "seed; x",
        "mean; [1",
        "mean; [0.5]",
        "std; [0, 0, 0]"
      })
  void metadataThatMakeNoSense(String key, String text) {
    refused(changed(ofTheFirstFormat(plain()), key, text, "", null));
  }

  @ParameterizedTest
  @ValueSource(strings = {"null", "[null, 1, 1]"})
  void aNormalizationOfNothing(String mean) {
    Path file = changed(ofTheFirstFormat(plain()), "mean", mean, "", null);
    assertThatThrownBy(() -> QuantizedFile.read(file)).isInstanceOf(CorruptFileException.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"conv1.weight.scale", "conv1.weight.zero", "bn1.weight", "relu.activation_range"})
  void integersForFloats(String name) {
    refused(changed("", "", name, new byte[4]));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "conv1.weight.packed",
        "conv1.weight.scale",
        "bn1.weight",
        "fc.bias",
        "relu.activation_range"
      })
  void tensorsOfAnotherSize(String name) {
    refused(changed("", "", name, name.endsWith("packed") ? new byte[3] : new float[] {1, 1, 1}));
  }

  @ParameterizedTest
  @ValueSource(floats = {0, -1, Float.NaN, Float.POSITIVE_INFINITY})
  void scalesThatAreNone(float scale) {
    refused(changed("", "", "conv1.weight.scale", new float[] {1, 1, 1, scale}));
  }

  @ParameterizedTest
  @CsvSource({"1, 4", "9, 4", "4, 1", "4, 9"})
  void bitWidthsOutOfRange(int weightBits, int activationBits) {
    assertThatThrownBy(() -> network(weightBits, activationBits))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("2 to 8");
  }
}
