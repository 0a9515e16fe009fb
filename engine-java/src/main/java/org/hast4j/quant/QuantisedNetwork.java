package org.hast4j.quant;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.data.Normalization;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.nn.Parameters;
import org.hast4j.nn.Slots;
import org.hast4j.nn.Topologies;
import org.hast4j.nn.Topology;
import org.hast4j.tensor.Shape;

/**
 * A quantised classifier as one value and one safetensors file: weights packed at their bit width
 * with a scale and a zero point per output channel, activation ranges, float BatchNorm and biases,
 * structure and provenance.
 *
 * @param weights by name, every convolution and the classifier; rows in OHWI order
 * @param floats everything else by name: BatchNorm parameters and statistics, biases
 * @param ranges [quantisers, 2], min and max
 */
public record QuantisedNetwork(
    Topology topology,
    Normalization normalization,
    int weightBits,
    int activationBits,
    Map<String, QuantisedTensor> weights,
    Map<String, float[]> floats,
    float[] ranges,
    Provenance provenance) {
  private static final String FORMAT = "hast4j-quantised-1";
  private static final String RANGES = "activation_ranges";
  private static final String PACKED = ".packed";
  private static final String SCALE = ".scale";
  private static final String ZERO = ".zero";

  /**
   * Checks bit widths and ranges.
   *
   * @throws IllegalArgumentException naming what is wrong
   */
  public QuantisedNetwork {
    QuantisedTensor.checkBits("weights", weightBits);
    QuantisedTensor.checkBits("activations", activationBits);
    if (ranges.length != 2 * topology.quantisers()) {
      throw new IllegalArgumentException(
          "%s has %d activation quantisers, got %d ranges"
              .formatted(topology.name(), topology.quantisers(), ranges.length / 2));
    }
    for (float bound : ranges) {
      if (!Float.isFinite(bound)) {
        throw new IllegalArgumentException("an activation range is " + bound);
      }
    }
  }

  /** Rounds the weights of a fine-tuned network. */
  public static QuantisedNetwork of(
      Network network, int weightBits, int activationBits, float[] ranges, Provenance provenance) {
    Map<String, QuantisedTensor> weights = new LinkedHashMap<>();
    Map<String, float[]> floats = new LinkedHashMap<>(network.weights());
    Slots slots = Slots.parameters(network.topology());
    for (String name : Parameters.weightNames(network.topology())) {
      int rows = Math.toIntExact(slots.get(name).type().shape().size(0));
      weights.put(name, QuantisedTensor.of(floats.remove(name), rows, weightBits));
    }
    return new QuantisedNetwork(
        network.topology(),
        network.normalization(),
        weightBits,
        activationBits,
        weights,
        floats,
        ranges,
        provenance);
  }

  /** The float network with the weights the levels stand for. */
  public Network dequantised() {
    Map<String, float[]> all = new LinkedHashMap<>();
    for (Slots slots : List.of(Slots.parameters(topology), Slots.statistics(topology))) {
      for (String name : slots.names()) {
        QuantisedTensor tensor = weights.get(name);
        all.put(name, tensor == null ? floats.get(name) : tensor.dequantised());
      }
    }
    return new Network(topology, normalization, all);
  }

  /** Writes the file. */
  public void write(Path file) {
    Safetensors.Writer writer =
        new Safetensors.Writer()
            .metadata("format", FORMAT)
            .metadata("topology", topology.name())
            .metadata("mean", Arrays.toString(normalization.mean()))
            .metadata("std", Arrays.toString(normalization.std()))
            .metadata("weight_bits", Integer.toString(weightBits))
            .metadata("activation_bits", Integer.toString(activationBits))
            .metadata("seed", Long.toString(provenance.seed()))
            .metadata("source_sha256", provenance.sourceSha256())
            .metadata("recipe", provenance.recipe());
    weights.forEach(
        (name, tensor) -> {
          byte[] packed = BitPacking.pack(tensor.levels(), tensor.bits());
          writer.putUnsigned(name + PACKED, Shape.of(packed.length), packed);
          writer.put(name + SCALE, Shape.of(tensor.scale().length), tensor.scale());
          writer.put(name + ZERO, Shape.of(tensor.zero().length), tensor.zero());
        });
    floats.forEach((name, values) -> writer.put(name, Shape.of(values.length), values));
    writer.put(RANGES, Shape.of(topology.quantisers(), 2), ranges);
    writer.write(file);
  }

  /** Whether a file says it holds a quantised network. */
  public static boolean isOne(Safetensors file) {
    return FORMAT.equals(file.metadata().get("format"));
  }

  /**
   * Reads a file that {@link #write} wrote.
   *
   * @throws CorruptFileException if it is damaged or something else
   */
  public static QuantisedNetwork read(Path path) {
    Safetensors file = Safetensors.read(path);
    if (!isOne(file)) {
      throw new CorruptFileException(
          path, "it is not a quantised network (its metadata lack format " + FORMAT + ")");
    }
    try {
      return parse(path, file);
    } catch (IllegalArgumentException
        | IllegalStateException
        | ArithmeticException
        | NullPointerException e) {
      throw new CorruptFileException(path, e.getMessage(), e);
    }
  }

  private static QuantisedNetwork parse(Path path, Safetensors file) {
    Topology topology = Topologies.named(metadata(path, file, "topology"));
    int weightBits = Integer.parseInt(metadata(path, file, "weight_bits"));
    int activationBits = Integer.parseInt(metadata(path, file, "activation_bits"));
    QuantisedTensor.checkBits("weights", weightBits);
    Slots slots = Slots.parameters(topology);
    Map<String, QuantisedTensor> weights = new LinkedHashMap<>();
    for (String name : Parameters.weightNames(topology)) {
      Shape shape = slots.get(name).type().shape();
      int count = Math.toIntExact(shape.elements());
      int columns = Math.toIntExact(count / shape.size(0));
      int[] levels = BitPacking.unpack(file.tensor(name + PACKED).bytes(), count, weightBits);
      weights.put(
          name,
          new QuantisedTensor(
              weightBits,
              columns,
              levels,
              file.tensor(name + SCALE).floats(),
              file.tensor(name + ZERO).floats()));
    }
    Map<String, float[]> floats = new LinkedHashMap<>();
    for (Slots group : List.of(slots, Slots.statistics(topology))) {
      for (String name : group.names()) {
        if (!weights.containsKey(name)) {
          floats.put(name, file.tensor(name).floats());
        }
      }
    }
    Provenance provenance =
        new Provenance(
            metadata(path, file, "source_sha256"),
            metadata(path, file, "recipe"),
            Long.parseLong(metadata(path, file, "seed")));
    QuantisedNetwork network =
        new QuantisedNetwork(
            topology,
            Checkpoint.normalization(path, file.metadata()),
            weightBits,
            activationBits,
            weights,
            floats,
            file.tensor(RANGES).floats(),
            provenance);
    network.dequantised();
    return network;
  }

  private static String metadata(Path path, Safetensors file, String key) {
    String value = file.metadata().get(key);
    if (value == null) {
      throw new CorruptFileException(path, "its metadata lack " + key);
    }
    return value;
  }
}
