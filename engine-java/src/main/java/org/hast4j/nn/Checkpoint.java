package org.hast4j.nn;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.UnaryOperator;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.model.Model;
import org.hast4j.model.ModelDescription;
import org.hast4j.model.Normalization;
import org.hast4j.tensor.Shape;

/**
 * Trained networks in safetensors files with PyTorch's names and OIHW weights. A file says what
 * network it holds in its metadata (docs/format.md), or is described by a file of its own, or is a
 * state dict of a known family. Of those, names are read as in torchvision or pytorchcv, with or
 * without "module." in front; {@link StateNames} has them. The structure is found from names and
 * shapes; mean and std come from the metadata, and so does the input size, where a network does not
 * take the usual one (input_size, pixels).
 */
public final class Checkpoint {
  /** Key of the metadata that describe a network. */
  public static final String MODEL = "hast4j_model";

  // A bound on what is read into memory at once, far beyond any network in use.
  private static final long MAX_DESCRIPTION_BYTES = 1 << 25;
  private static final String PARALLEL = "module.";
  private static final String BATCH_COUNTER = "num_batches_tracked";
  private static final String INPUT_SIZE = "input_size";
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);

  private Checkpoint() {}

  /**
   * Reads a network whose file says how its input is normalised.
   *
   * @throws CorruptFileException if the file is damaged or is not a network of a known family
   */
  public static Network read(Path file) {
    return read(file, Optional.empty(), Optional.empty());
  }

  /**
   * Reads a network.
   *
   * @param description of the structure, for a file that does not say it or says another
   * @param normalization for a file that lacks it or says another
   * @throws CorruptFileException if the file is damaged, is not a network of a known family, or
   *     does not hold what the description needs
   */
  public static Network read(
      Path file, Optional<ModelDescription> description, Optional<Normalization> normalization) {
    Safetensors tensors = Safetensors.read(file);
    try {
      return parse(file, tensors, description, normalization);
    } catch (RefusedException e) {
      throw new CorruptFileException(file, e.getMessage(), e);
    }
  }

  /**
   * Reads a structure that stands in a file of its own, as JSON.
   *
   * @throws CorruptFileException saying where it is wrong
   * @throws UnreadableFileException if the file cannot be read
   */
  public static ModelDescription description(Path file) {
    try {
      if (Files.size(file) > MAX_DESCRIPTION_BYTES) {
        throw new CorruptFileException(
            file,
            "it is larger than %d bytes, this is hardly a model".formatted(MAX_DESCRIPTION_BYTES));
      }
      return ModelDescription.parse(Files.readString(file), "the model");
    } catch (CharacterCodingException e) {
      throw new CorruptFileException(file, "it is no text in UTF-8", e);
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    } catch (RefusedException e) {
      throw new CorruptFileException(file, e.getMessage(), e);
    }
  }

  private static Network parse(
      Path file,
      Safetensors tensors,
      Optional<ModelDescription> given,
      Optional<Normalization> normalization) {
    Map<String, Safetensors.Tensor> byName = new LinkedHashMap<>();
    for (String name : tensors.names()) {
      if (!name.endsWith(BATCH_COUNTER)) {
        Safetensors.Tensor before = byName.put(single(name), tensors.tensor(name));
        if (before != null) {
          throw new CorruptFileException(
              file,
              "tensors %s and %s are two names of the same one".formatted(before.name(), name));
        }
      }
    }
    Map<String, String> metadata = tensors.metadata();
    Optional<ModelDescription> description =
        given.or(
            () ->
                Optional.ofNullable(metadata.get(MODEL))
                    .map(text -> ModelDescription.parse(text, "its metadata " + MODEL)));
    UnaryOperator<String> inFile;
    Model model;
    if (description.isPresent()) {
      inFile = UnaryOperator.identity();
      model = description.get().model();
      Forward.check(model);
    } else {
      StateNames names = StateNames.of(byName.keySet());
      inFile = names::inFile;
      model = names.model(byName, inputSize(metadata));
    }
    Normalization known =
        normalization
            .or(() -> description.flatMap(ModelDescription::normalization))
            .orElseGet(() -> normalization(file, metadata));
    return new Network(model, known, weights(file, model, byName, inFile));
  }

  private static Map<String, float[]> weights(
      Path file,
      Model model,
      Map<String, Safetensors.Tensor> byName,
      UnaryOperator<String> inFile) {
    Safetensors.Tensor last = byName.get(inFile.apply(model.output() + ".weight"));
    boolean convolution = last != null && last.shape().rank() == 4;
    Map<String, float[]> weights = new LinkedHashMap<>();
    shapes(model)
        .forEach(
            (name, shape) -> {
              String stored = inFile.apply(name);
              Safetensors.Tensor tensor = byName.remove(stored);
              if (tensor != null) {
                weights.put(name, inside(file, tensor, model, shape));
              } else if (convolution && name.equals(model.output() + ".bias")) {
                // As a convolution the classifier may have no bias.
                weights.put(name, new float[model.classes()]);
              } else {
                throw new CorruptFileException(
                    file,
                    "%s needs tensor %s of shape %s; BatchNorm must not be folded into the convolutions"
                        .formatted(model.name(), stored, oihw(shape)));
              }
            });
    if (!byName.isEmpty()) {
      throw new CorruptFileException(
          file,
          "tensor %s does not belong to %s"
              .formatted(byName.values().iterator().next().name(), model.name()));
    }
    return weights;
  }

  /** A tensor's name without what PyTorch's data parallelism puts in front. */
  private static String single(String name) {
    return name.startsWith(PARALLEL) ? name.substring(PARALLEL.length()) : name;
  }

  /** Writes a network as PyTorch would name and order it. */
  public static void write(Path file, Network network) {
    write(file, network, false);
  }

  /** Writes a network with float16 weights: half the size, for files that are shipped. */
  public static void writeHalf(Path file, Network network) {
    write(file, network, true);
  }

  private static void write(Path file, Network network, boolean half) {
    SafetensorsWriter writer =
        new SafetensorsWriter()
            .metadata(
                MODEL,
                new ModelDescription(network.model(), Optional.of(network.normalization()))
                    .json(false));
    Map<String, Shape> shapes = shapes(network.model());
    network.weights().forEach((name, values) -> put(writer, name, shapes.get(name), values, half));
    writer.write(file);
  }

  private static void put(
      SafetensorsWriter writer, String name, Shape inside, float[] values, boolean half) {
    Shape outside = oihw(inside);
    float[] ordered = inside.rank() == 4 ? toOihw(values, inside) : values;
    // Statistics span more orders of magnitude than float16 holds.
    if (half && inside.rank() > 1) {
      writer.putHalf(name, outside, ordered);
    } else {
      writer.put(name, outside, ordered);
    }
  }

  /** Shapes of all tensors of a model, as this engine orders them. */
  private static Map<String, Shape> shapes(Model model) {
    Map<String, Shape> shapes = model.parameters();
    shapes.putAll(model.statistics());
    return shapes;
  }

  /** Normalisation from metadata "mean" and "std", JSON arrays in units of v/255. */
  public static Normalization normalization(Path file, Map<String, String> metadata) {
    if (!metadata.containsKey("mean") || !metadata.containsKey("std")) {
      throw new CorruptFileException(
          file,
          "its metadata give no mean and std: say how the network's input is normalised with --mean"
              + " and --std");
    }
    try {
      float[] mean = JSON.readValue(metadata.get("mean"), float[].class);
      float[] std = JSON.readValue(metadata.get("std"), float[].class);
      if (mean == null || std == null) {
        throw new CorruptFileException(
            file, "its metadata mean or std is null, not a list of numbers");
      }
      return new Normalization(mean, std);
    } catch (RefusedException e) {
      throw new CorruptFileException(file, "its metadata mean and std: " + e.getMessage(), e);
    } catch (JsonProcessingException e) {
      throw new CorruptFileException(file, "its metadata mean or std is not a list of numbers", e);
    }
  }

  /** Input height and width from the metadata, if they say it. */
  private static OptionalInt inputSize(Map<String, String> metadata) {
    String text = metadata.get(INPUT_SIZE);
    if (text == null) {
      return OptionalInt.empty();
    }
    try {
      return OptionalInt.of(Integer.parseInt(text));
    } catch (NumberFormatException e) {
      throw new RefusedException(
          "its metadata %s is '%s', not a number of pixels".formatted(INPUT_SIZE, text), e);
    }
  }

  private static float[] inside(Path file, Safetensors.Tensor tensor, Model model, Shape expected) {
    switch (tensor.dtype()) {
      case F64, F32, F16, BF16 -> {}
      case I64, I32, I8, U8 ->
          throw new CorruptFileException(
              file,
              "tensor %s holds %s: a network's weights are floating-point numbers"
                  .formatted(tensor.name(), tensor.dtype()));
    }
    Shape outside = oihw(expected);
    // A linear layer may be a 1x1 convolution of the pooled features.
    boolean same =
        tensor.shape().equals(outside)
            || expected.rank() == 2
                && tensor.shape().equals(Shape.of(expected.size(0), expected.size(1), 1, 1));
    if (!same) {
      throw new CorruptFileException(
          file,
          "tensor %s has shape %s, %s needs %s"
              .formatted(tensor.name(), tensor.shape(), model.name(), outside));
    }
    return expected.rank() == 4 ? toOhwi(tensor.floats(), outside) : tensor.floats();
  }

  /** The shape in PyTorch's order of a weight that is [o, h, w, i] here; others stay. */
  private static Shape oihw(Shape shape) {
    return shape.rank() == 4
        ? Shape.of(shape.size(0), shape.size(3), shape.size(1), shape.size(2))
        : shape;
  }

  /** Reorders weights from PyTorch's [o, i, h, w] to [o, h, w, i]; {@code shape} is the former. */
  public static float[] toOhwi(float[] values, Shape shape) {
    int inputs = Math.toIntExact(shape.size(1));
    int area = Math.toIntExact(shape.size(2) * shape.size(3));
    return transposed(values, inputs, area);
  }

  /** Reorders weights from [o, h, w, i] to PyTorch's [o, i, h, w]; {@code shape} is the former. */
  public static float[] toOihw(float[] values, Shape shape) {
    int inputs = Math.toIntExact(shape.size(3));
    int area = Math.toIntExact(shape.size(1) * shape.size(2));
    return transposed(values, area, inputs);
  }

  /** Transposes every consecutive [rows, columns] matrix. */
  private static float[] transposed(float[] values, int rows, int columns) {
    float[] result = new float[values.length];
    for (int start = 0; start < values.length; start += rows * columns) {
      for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++) {
          result[start + column * rows + row] = values[start + row * columns + column];
        }
      }
    }
    return result;
  }
}
