package org.hast4j.zoo;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Json;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.model.Normalization;
import org.hast4j.model.Resize;

/**
 * What timm says of a network in the file config.json beside its weights: {@code pretrained_cfg}
 * with input_size, mean, std, crop_pct, crop_mode and interpolation, and {@code label_names}.
 *
 * @param size input height and width, pixels
 * @param classNames empty where they are not said
 */
record TimmConfig(
    Optional<Normalization> normalization,
    Optional<Integer> size,
    Resize resize,
    List<String> classNames) {
  static final String NAME = "config.json";

  // A bound on what is read, beyond the names of 100 000 classes.
  private static final long MAX_BYTES = 1 << 24;

  /**
   * The one beside a file; empty if there is none, or it is another program's.
   *
   * @throws CorruptFileException if it is timm's and damaged
   */
  static Optional<TimmConfig> beside(Path file) {
    Path config = file.resolveSibling(NAME);
    try {
      if (!Files.isRegularFile(config) || Files.size(config) > MAX_BYTES) {
        return Optional.empty();
      }
      return Json.parse(Files.readString(config)) instanceof Map<?, ?> json
          ? of(json)
          : Optional.empty();
    } catch (JsonProcessingException e) {
      throw new CorruptFileException(config, "it is not valid JSON: " + e.getOriginalMessage(), e);
    } catch (RefusedException e) {
      throw new CorruptFileException(config, e.getMessage(), e);
    } catch (IOException e) {
      throw new UnreadableFileException(config, e);
    }
  }

  private static Optional<TimmConfig> of(Map<?, ?> json) {
    Map<?, ?> input = json.get("pretrained_cfg") instanceof Map<?, ?> inner ? inner : json;
    if (!(input.get("mean") instanceof List<?> mean)
        || !(input.get("std") instanceof List<?> std)) {
      return Optional.empty();
    }
    Optional<Integer> size =
        input.get("input_size") instanceof List<?> sizes
                && sizes.size() == 3
                && sizes.get(1).equals(sizes.get(2))
                && sizes.get(2) instanceof Integer side
            ? Optional.of(side)
            : Optional.empty();
    List<String> names =
        json.get("label_names") instanceof List<?> labels
            ? labels.stream().map(String::valueOf).toList()
            : List.of();
    return Optional.of(
        new TimmConfig(
            Optional.of(new Normalization(numbers("mean", mean), numbers("std", std))),
            size,
            resize(input, size),
            names));
  }

  private static Resize resize(Map<?, ?> input, Optional<Integer> size) {
    Optional<Resize.Extent> extent = Optional.empty();
    if ("squash".equals(input.get("crop_mode"))) {
      extent = Optional.of(Resize.Extent.parse("squash"));
    } else if (input.get("crop_pct") instanceof Number share
        && share.doubleValue() > 0
        && share.doubleValue() <= 1) {
      // As timm rounds it.
      extent =
          size.map(side -> new Resize.ShorterSide((int) Math.floor(side / share.doubleValue())));
    }
    Optional<Resize.Interpolation> interpolation =
        "bilinear".equals(input.get("interpolation"))
                || "bicubic".equals(input.get("interpolation"))
            ? Optional.of(Resize.Interpolation.parse((String) input.get("interpolation")))
            : Optional.empty();
    return new Resize(extent, interpolation);
  }

  private static float[] numbers(String field, List<?> values) {
    float[] numbers = new float[values.size()];
    for (int i = 0; i < numbers.length; i++) {
      if (!(values.get(i) instanceof Number number)) {
        throw new RefusedException("its %s is not a list of numbers".formatted(field));
      }
      numbers[i] = number.floatValue();
    }
    return numbers;
  }
}
