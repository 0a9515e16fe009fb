package org.hast4j.zoo;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.UnaryOperator;
import org.hast4j.failure.RefusedException;
import org.hast4j.failure.Remedy;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.model.Model;
import org.hast4j.model.ModelDescription;
import org.hast4j.model.Normalization;
import org.hast4j.model.Preprocessing;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;

/**
 * Trained networks in safetensors files with PyTorch's names and OIHW weights. A file says what
 * network it holds in its metadata (docs/format.md), or is described by a file of its own, or is a
 * state dict of a known family. Of those, names are read as in torchvision or pytorchcv, with or
 * without "module." in front; {@link StateNames} has them. The structure is found from names and
 * shapes; mean and std come from the metadata, and so does the input size, where a network does not
 * take the usual one (input_size, pixels).
 */
public final class StateDict {
  private static final String INPUT_SIZE = "input_size";
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);

  private StateDict() {}

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

  private static Network parse(
      Path file,
      Safetensors tensors,
      Optional<ModelDescription> given,
      Optional<Normalization> normalization) {
    Map<String, Safetensors.Tensor> byName = Checkpoint.tensors(file, tensors);
    Map<String, String> metadata = tensors.metadata();
    Optional<ModelDescription> description = given.or(() -> Checkpoint.described(tensors));
    UnaryOperator<String> inFile;
    Model model;
    if (description.isPresent()) {
      inFile = UnaryOperator.identity();
      model = description.get().model();
    } else {
      StateNames names = StateNames.of(byName.keySet());
      inFile = names::inFile;
      model = names.model(byName, inputSize(metadata));
    }
    Normalization known =
        normalization
            .or(() -> description.flatMap(ModelDescription::normalization))
            .orElseGet(() -> normalization(file, metadata));
    Network network = Checkpoint.network(file, byName, model, known, inFile);
    return description
        .map(d -> network.with(new Preprocessing(known, d.resize()), d.classNames()))
        .orElse(network);
  }

  /** Normalisation from metadata "mean" and "std", JSON arrays in units of v/255. */
  static Normalization normalization(Path file, Map<String, String> metadata) {
    if (!metadata.containsKey("mean") || !metadata.containsKey("std")) {
      throw new CorruptFileException(
          file,
          "its metadata give no mean and std: give the normalization of the network's input",
          Remedy.GIVE_NORMALIZATION);
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
}
