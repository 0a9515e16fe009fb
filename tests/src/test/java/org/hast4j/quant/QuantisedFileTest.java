package org.hast4j.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.hast4j.data.Normalization;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.nn.CifarResNet;
import org.hast4j.nn.Network;
import org.hast4j.nn.Slots;
import org.hast4j.nn.Topology;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Quantised networks in files that are not what they should be. */
class QuantisedFileTest {
  @TempDir Path folder;

  private static QuantisedNetwork network(int weightBits, int activationBits) {
    Topology topology = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
    Random random = new Random(5);
    Map<String, float[]> weights = new LinkedHashMap<>();
    for (Slots slots : new Slots[] {Slots.parameters(topology), Slots.statistics(topology)}) {
      for (String name : slots.names()) {
        float[] values = new float[Math.toIntExact(slots.get(name).type().shape().elements())];
        for (int i = 0; i < values.length; i++) {
          values[i] = random.nextFloat() + .1f;
        }
        weights.put(name, values);
      }
    }
    return QuantisedNetwork.of(
        new Network(topology, Normalization.CIFAR10, weights),
        weightBits,
        activationBits,
        new float[2 * topology.quantisers()],
        new Provenance("ab", "seed = 1", 1));
  }

  /** The file of a good network with one text and one tensor of its own. */
  private Path changed(String key, String text, String target, Object values) {
    Path original = folder.resolve("original.safetensors");
    network(4, 4).write(original);
    Safetensors file = Safetensors.read(original);
    Safetensors.Writer writer = new Safetensors.Writer();
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
    assertThatThrownBy(() -> QuantisedNetwork.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("changed.safetensors")
        .hasMessageNotContaining("null");
  }

  @Test
  void aGoodFileIsRead() {
    Path file = changed("", "", "", null);
    assertThat(QuantisedNetwork.read(file).weights().get("conv1.weight").levels())
        .containsExactly(network(4, 4).weights().get("conv1.weight").levels());
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
    refused(changed(key, text, "", null));
  }

  @ParameterizedTest
  @ValueSource(strings = {"null", "[null, 1, 1]"})
  void aNormalisationOfNothing(String mean) {
    Path file = changed("mean", mean, "", null);
    assertThatThrownBy(() -> QuantisedNetwork.read(file)).isInstanceOf(CorruptFileException.class);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"conv1.weight.scale", "conv1.weight.zero", "bn1.weight", "activation_ranges"})
  void integersForFloats(String name) {
    refused(changed("", "", name, new byte[4]));
  }

  @ParameterizedTest
  @ValueSource(strings = {"conv1.weight.packed", "conv1.weight.scale", "bn1.weight", "fc.bias"})
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
