package org.hast4j.nn;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.io.StoredTensor;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.model.Model;
import org.hast4j.model.ModelDescription;
import org.hast4j.model.Normalization;
import org.hast4j.model.Preprocessing;
import org.hast4j.tensor.Shape;

/**
 * Full-precision networks in safetensors files that say in their metadata what network they hold
 * (docs/format.md): PyTorch's names, or those names with "module." in front, and OIHW weights.
 */
public final class Checkpoint {
  /** Key of the metadata that describe a network. */
  public static final String MODEL = "hast4j_model";

  // A bound on what is read into memory at once, far beyond any network in use.
  private static final long MAX_DESCRIPTION_BYTES = 1 << 25;
  private static final String PARALLEL = "module.";

  private Checkpoint() {}

  /**
   * Reads what {@link #write} wrote.
   *
   * @throws CorruptFileException if the file is damaged, or does not say what network it holds
   */
  public static Network read(Path file) {
    return read(Safetensors.read(file));
  }

  /** Likewise, of a file that is open. */
  public static Network read(Safetensors tensors) {
    Path file = tensors.file();
    try {
      ModelDescription description =
          described(tensors.metadata())
              .orElseThrow(
                  () ->
                      new RefusedException(
                          "its metadata do not say what network it holds (they lack %s)"
                              .formatted(MODEL)));
      Normalization normalization =
          description
              .normalization()
              .orElseThrow(() -> new RefusedException("its model has no mean and std"));
      return network(file, tensors(file, tensors), description.model(), normalization)
          .with(new Preprocessing(normalization, description.resize()), description.classNames());
    } catch (RefusedException e) {
      throw new CorruptFileException(file, e.getMessage(), e);
    }
  }

  /**
   * What a file's metadata say of its network; empty where they say nothing.
   *
   * @throws RefusedException if it is damaged
   */
  public static Optional<ModelDescription> described(Map<String, String> metadata) {
    return Optional.ofNullable(metadata.get(MODEL))
        .map(text -> ModelDescription.parse(text, "its metadata " + MODEL));
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

  /**
   * A file's tensors by their names without what PyTorch's data parallelism puts in front; batch
   * counters are left out.
   *
   * @throws CorruptFileException if two are the same without it
   */
  private static Map<String, StoredTensor> tensors(Path file, Safetensors tensors) {
    Map<String, StoredTensor> byName = new LinkedHashMap<>();
    for (String name : tensors.names()) {
      if (!isCounter(name)) {
        StoredTensor before = byName.put(single(name), tensors.tensor(name));
        if (before != null) {
          throw new CorruptFileException(
              file,
              "tensors %s and %s are two names of the same one".formatted(before.name(), name));
        }
      }
    }
    return byName;
  }

  /**
   * A network of a file's tensors.
   *
   * @param tensors by the model's names
   * @throws CorruptFileException if one is missing, left over, or has another shape
   */
  public static Network network(
      Path file,
      Map<String, ? extends StoredTensor> tensors,
      Model model,
      Normalization normalization) {
    Network.check(model);
    return new Network(model, normalization, weights(file, model, new LinkedHashMap<>(tensors)));
  }

  private static Map<String, float[]> weights(
      Path file, Model model, Map<String, StoredTensor> left) {
    StoredTensor last = left.get(model.output() + ".weight");
    boolean convolution = last != null && last.shape().rank() == 4;
    Map<String, float[]> weights = new LinkedHashMap<>();
    shapes(model)
        .forEach(
            (name, shape) -> {
              StoredTensor tensor = left.remove(name);
              if (tensor != null) {
                weights.put(name, inside(file, tensor, model, shape));
              } else if (convolution && name.equals(model.output() + ".bias")) {
                // As a convolution the classifier may have no bias.
                weights.put(name, new float[model.classes()]);
              } else {
                throw new CorruptFileException(
                    file,
                    "%s needs tensor %s of shape %s%s"
                        .formatted(
                            model.name(),
                            name,
                            oihw(shape),
                            model.statistics().containsKey(name)
                                ? ": without its running statistics a BatchNorm computes nothing"
                                : ""));
              }
            });
    if (!left.isEmpty()) {
      throw new CorruptFileException(
          file,
          "tensor %s does not belong to %s"
              .formatted(left.values().iterator().next().name(), model.name()));
    }
    return weights;
  }

  /** Whether a tensor counts the batches that a BatchNorm has seen, which no computation needs. */
  public static boolean isCounter(String name) {
    return name.endsWith("num_batches_tracked");
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
        new SafetensorsWriter().metadata(MODEL, network.description().json(false));
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

  private static float[] inside(Path file, StoredTensor tensor, Model model, Shape expected) {
    if (!tensor.dtype().isReal()) {
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
