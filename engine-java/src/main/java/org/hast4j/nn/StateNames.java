package org.hast4j.nn;

import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.hast4j.tensor.Shape;

/** How files of one family of networks name its tensors, and what names and shapes tell of it. */
sealed interface StateNames permits ResNetNames, MobileNetV1Names, MobileNetV2Names {
  /**
   * The family whose names these look like; a ResNet's if none, which then says what it misses.
   *
   * @param names without "module." in front
   */
  static StateNames of(Set<String> names) {
    if (MobileNetV1Names.match(names)) {
      return new MobileNetV1Names();
    }
    return MobileNetV2Names.match(names) ? new MobileNetV2Names(names) : new ResNetNames();
  }

  /** The name this engine uses for a tensor that a file calls {@code name}. */
  String canonical(String name);

  /**
   * The topology of a network.
   *
   * @param tensors shapes in PyTorch's order by this engine's names
   * @param size input height and width, if the file says it, pixels
   * @throws IllegalArgumentException if it is none of this family
   */
  Topology topology(Map<String, Shape> tensors, OptionalInt size);

  /**
   * A tensor's number of channels.
   *
   * @param dimension 0 for those it gives, 1 for those it reads
   * @throws IllegalArgumentException if it has no such dimension or is too large
   */
  static int channels(Map<String, Shape> tensors, String name, int dimension) {
    Shape shape = tensors.get(name);
    if (shape.rank() < 2) {
      throw new IllegalArgumentException("%s has shape %s, no matrix".formatted(name, shape));
    }
    if (shape.size(dimension) > Integer.MAX_VALUE) {
      throw new IllegalArgumentException("%s %s is too large".formatted(name, shape));
    }
    return (int) shape.size(dimension);
  }

  /**
   * Refuses a file that lacks the tensors a family is known by.
   *
   * @throws IllegalArgumentException naming what is needed and what is there
   */
  static void need(String family, Map<String, Shape> tensors, String... names) {
    if (!tensors.keySet().containsAll(Set.of(names))) {
      throw new IllegalArgumentException(
          "it is no %s: %s are needed, found %s"
              .formatted(
                  family,
                  String.join(" and ", names),
                  tensors.keySet().stream().limit(6).toList()));
    }
  }
}
