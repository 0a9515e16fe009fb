package org.hast4j.quant;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Json;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.model.Model;
import org.hast4j.model.ModelDescription;
import org.hast4j.model.Normalization;
import org.hast4j.model.Preprocessing;
import org.hast4j.model.Scheme;
import org.hast4j.nn.AlignmentTaps;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/**
 * A quantised classifier as one value and one safetensors file: weights packed at their bit width
 * with a scale and a zero point per output channel, activation ranges, float BatchNorm and biases,
 * structure and provenance. docs/format.md describes the file.
 *
 * @param classNames of every class, in their order; empty where nobody said them
 * @param weights by name, every convolution and linear layer; rows in OHWI order
 * @param floats everything else by name: BatchNorm parameters and statistics, biases
 * @param ranges of the activation quantizers, by layer: {@link Scheme#quantizers}
 */
public record QuantizedNetwork(
    Model model,
    Preprocessing preprocessing,
    List<String> classNames,
    Scheme scheme,
    Map<String, QuantizedTensor> weights,
    Map<String, float[]> floats,
    Map<String, Range> ranges,
    Provenance provenance) {
  private static final String FAMILY = "hast4j-quantised-";
  private static final int FORMAT = 2;
  private static final String RANGE = ".activation_range";
  private static final String PACKED = ".packed";
  private static final String SCALE = ".scale";
  private static final String ZERO = ".zero";

  /**
   * Checks that parts fit together.
   *
   * @throws RefusedException if the scheme names layers that the model has not
   * @throws IllegalArgumentException if ranges or bits are not those of the scheme
   */
  public QuantizedNetwork {
    scheme.check(model);
    List<String> quantizers = scheme.quantizers(model);
    if (!ranges.keySet().equals(Set.copyOf(quantizers))) {
      throw new IllegalArgumentException(
          "%s has activation quantizers of %s, got ranges of %s"
              .formatted(model.name(), quantizers, ranges.keySet()));
    }
    weights.forEach(
        (name, tensor) -> {
          int bits = scheme.weightBits(name.substring(0, name.lastIndexOf('.')));
          if (tensor.bits() != bits) {
            throw new IllegalArgumentException(
                "%s has %d bits, the scheme says %d".formatted(name, tensor.bits(), bits));
          }
        });
  }

  /** Rounds the weights of a fine-tuned network. */
  public static QuantizedNetwork of(
      Network network, Scheme scheme, Map<String, Range> ranges, Provenance provenance) {
    Map<String, QuantizedTensor> weights = new LinkedHashMap<>();
    Map<String, float[]> floats = new LinkedHashMap<>(network.weights());
    Map<String, Shape> shapes = network.model().parameters();
    for (String layer : network.model().weighted()) {
      String name = weight(layer);
      int rows = Math.toIntExact(shapes.get(name).size(0));
      weights.put(name, QuantizedTensor.of(floats.remove(name), rows, scheme.weightBits(layer)));
    }
    return new QuantizedNetwork(
        network.model(),
        network.preprocessing(),
        network.classNames(),
        scheme,
        weights,
        floats,
        ranges,
        provenance);
  }

  public Normalization normalization() {
    return preprocessing.normalization();
  }

  private static String weight(String layer) {
    return layer + ".weight";
  }

  /** The float network with the weights the levels stand for. */
  public Network dequantized() {
    Map<String, float[]> all = new LinkedHashMap<>();
    for (Map<String, Shape> shapes : List.of(model.parameters(), model.statistics())) {
      for (String name : shapes.keySet()) {
        QuantizedTensor tensor = weights.get(name);
        all.put(name, tensor == null ? floats.get(name) : tensor.dequantized());
      }
    }
    return new Network(model, preprocessing, classNames, all);
  }

  /** Writes the file. */
  public void write(Path file) {
    SafetensorsWriter writer =
        new SafetensorsWriter()
            .metadata("format", FAMILY + FORMAT)
            .metadata(
                Checkpoint.MODEL,
                new ModelDescription(
                        model, Optional.of(normalization()), preprocessing.resize(), classNames)
                    .json(false))
            .metadata("scheme", scheme.json())
            .metadata("alignment_taps", Json.text(AlignmentTaps.of(model), false))
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
    ranges.forEach(
        (layer, range) ->
            writer.put(layer + RANGE, Shape.of(2), new float[] {range.min(), range.max()}));
    writer.write(file);
  }

  /** Whether a safetensors file says it holds a quantised network, of this or another version. */
  public static boolean isOne(Map<String, String> metadata) {
    return metadata.getOrDefault("format", "").startsWith(FAMILY);
  }

  /**
   * Reads a file that {@link #write} wrote.
   *
   * @throws CorruptFileException if it is damaged, of another version or something else
   */
  public static QuantizedNetwork read(Path path) {
    return read(Safetensors.read(path));
  }

  /** Likewise, of a file that is open. */
  public static QuantizedNetwork read(Safetensors file) {
    Path path = file.file();
    if (!isOne(file.metadata())) {
      throw new CorruptFileException(
          path, "it is not a quantised network (its metadata lack format " + FAMILY + FORMAT + ")");
    }
    try {
      return parse(file);
    } catch (RefusedException e) {
      throw new CorruptFileException(path, e.getMessage(), e);
    }
  }

  /** A file's format as {@link #isOne} goes by it: what follows the family's name. */
  public static String format(Safetensors file) {
    return file.required("format").substring(FAMILY.length());
  }

  private static QuantizedNetwork parse(Safetensors file) {
    String format = format(file);
    if (!format.equals("" + FORMAT)) {
      throw new RefusedException(
          format.equals("1")
              ? "it is a quantised network of format 1, which says its structure by a name that"
                  + " only org.hast4j.zoo knows (QuantizedFile of hast4j-quantize): quantise it"
                  + " again"
              : "it is a quantised network of format %s, this program reads up to %d: a newer one wrote it"
                  .formatted(format, FORMAT));
    }
    ModelDescription description =
        Checkpoint.described(file.metadata())
            .orElseThrow(() -> new RefusedException("its metadata lack " + Checkpoint.MODEL));
    Scheme scheme = Scheme.parse(file.required("scheme"), "its metadata scheme");
    scheme.check(description.model());
    Map<String, Range> ranges = new LinkedHashMap<>();
    for (String layer : scheme.quantizers(description.model())) {
      float[] range = file.sized(layer + RANGE, 2).floats();
      ranges.put(layer, new Range(range[0], range[1]));
    }
    return of(file, description, scheme, ranges);
  }

  /**
   * A network of the weights in a file, whatever the format of the rest.
   *
   * @throws RefusedException if something is missing or does not fit the model or the scheme
   */
  public static QuantizedNetwork of(
      Safetensors file, ModelDescription description, Scheme scheme, Map<String, Range> ranges) {
    Model model = description.model();
    Network.check(model);
    Map<String, Shape> parameters = model.parameters();
    Map<String, QuantizedTensor> weights = new LinkedHashMap<>();
    for (String layer : model.weighted()) {
      String name = weight(layer);
      Shape shape = parameters.get(name);
      int bits = scheme.weightBits(layer);
      int count = Math.toIntExact(shape.elements());
      int rows = Math.toIntExact(shape.size(0));
      weights.put(
          name,
          new QuantizedTensor(
              bits,
              count / rows,
              levels(file, name + PACKED, count, bits),
              file.sized(name + SCALE, rows).floats(),
              file.sized(name + ZERO, rows).floats()));
    }
    Map<String, float[]> floats = new LinkedHashMap<>();
    for (Map<String, Shape> shapes : List.of(parameters, model.statistics())) {
      for (String name : shapes.keySet()) {
        if (!weights.containsKey(name)) {
          float[] values = file.sized(name, shapes.get(name).elements()).floats();
          Network.checkNumbers(name, values);
          floats.put(name, values);
        }
      }
    }
    Provenance provenance =
        new Provenance(
            file.required("source_sha256"),
            file.required("recipe"),
            file.whole("seed", Long::valueOf));
    Normalization normalization =
        description
            .normalization()
            .orElseThrow(() -> new RefusedException("its model has no mean and std"));
    return new QuantizedNetwork(
        model,
        new Preprocessing(normalization, description.resize()),
        description.classNames(),
        scheme,
        weights,
        floats,
        ranges,
        provenance);
  }

  private static int[] levels(Safetensors file, String name, int count, int bits) {
    Safetensors.Tensor packed = file.sized(name, BitPacking.bytes(count, bits));
    if (packed.dtype() != DType.U8) {
      throw new RefusedException(
          "tensor %s holds %s instead of bytes".formatted(name, packed.dtype()));
    }
    return BitPacking.unpack(packed.bytes(), count, bits);
  }
}
