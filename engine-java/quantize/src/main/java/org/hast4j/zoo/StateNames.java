package org.hast4j.zoo;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.stream.Collectors;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.Safetensors;
import org.hast4j.model.Model;
import org.hast4j.tensor.Shape;

/**
 * How a file of one family of networks names its tensors, and what names and shapes tell of it.
 * Files' tensors are by their names without "module." in front.
 */
sealed interface StateNames permits ResNetNames, MobileNetV1Names, MobileNetV2Names {
  /** The family whose names these look like; a ResNet's if none, which then says what it misses. */
  static StateNames of(Set<String> names) {
    if (MobileNetV1Names.match(names)) {
      return new MobileNetV1Names();
    }
    return MobileNetV2Names.match(names) ? new MobileNetV2Names(names) : new ResNetNames(names);
  }

  /** The file's name for a tensor that this engine calls {@code name}. */
  String inFile(String name);

  /**
   * The model of a file's network.
   *
   * @param size input height and width, if the file says it, pixels
   * @throws RefusedException if it is none of this family
   */
  Model model(Map<String, Safetensors.Tensor> tensors, OptionalInt size);

  /**
   * A tensor's number of channels.
   *
   * @param name this engine's
   * @param dimension 0 for those it gives, 1 for those it reads
   * @throws RefusedException if it has no such dimension or is too large
   */
  default int channels(Map<String, Safetensors.Tensor> tensors, String name, int dimension) {
    Safetensors.Tensor tensor = tensors.get(inFile(name));
    Shape shape = tensor.shape();
    if (shape.rank() < 2) {
      throw new RefusedException("%s has shape %s, no matrix".formatted(tensor.name(), shape));
    }
    if (shape.size(dimension) > Integer.MAX_VALUE) {
      throw new RefusedException("%s %s is too large".formatted(tensor.name(), shape));
    }
    return (int) shape.size(dimension);
  }

  /**
   * Refuses a file that lacks tensors a family is known by.
   *
   * @param names this engine's
   * @throws RefusedException naming what is missing and what is there
   */
  default void need(String family, Map<String, Safetensors.Tensor> tensors, String... names) {
    List<String> missing =
        Arrays.stream(names).map(this::inFile).filter(name -> !tensors.containsKey(name)).toList();
    if (!missing.isEmpty()) {
      throw new RefusedException(
          "it is no %s: %s %s needed, found %s"
              .formatted(
                  family,
                  String.join(" and ", missing),
                  missing.size() == 1 ? "is" : "are",
                  found(tensors)));
    }
  }

  /** The first few of a file's names, for messages. */
  static String found(Map<String, Safetensors.Tensor> tensors) {
    return tensors.values().stream()
        .map(Safetensors.Tensor::name)
        .limit(6)
        .collect(Collectors.joining(", ", "[", tensors.size() > 6 ? ", ..]" : "]"));
  }
}
