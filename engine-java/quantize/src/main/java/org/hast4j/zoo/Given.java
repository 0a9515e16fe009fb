package org.hast4j.zoo;

import java.util.Collections;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.hast4j.model.ModelDescription;
import org.hast4j.model.Normalization;
import org.hast4j.model.Resize;

/**
 * What people say of a network that its file cannot say, or says wrongly.
 *
 * @param description the whole structure
 * @param resize how pictures get the size of its input
 * @param settings what a structure that is built from a state dict takes, by the words of {@link
 *     Assumptions}: what is not given is assumed, and said
 * @param dropExtra whether tensors that do not belong to the network are left out
 */
public record Given(
    Optional<ModelDescription> description,
    Optional<Normalization> normalization,
    Resize resize,
    Map<String, String> settings,
    boolean dropExtra) {
  /** Nothing. */
  public static final Given NOTHING =
      new Given(Optional.empty(), Optional.empty(), Resize.USUAL, Map.of(), false);

  /** A structure and a normalization alone. */
  public static Given of(
      Optional<ModelDescription> description, Optional<Normalization> normalization) {
    return new Given(description, normalization, Resize.USUAL, Map.of(), false);
  }

  public Given {
    settings = Collections.unmodifiableMap(new TreeMap<>(settings));
  }
}
