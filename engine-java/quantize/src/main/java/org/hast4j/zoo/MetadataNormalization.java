package org.hast4j.zoo;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.util.Map;
import org.hast4j.failure.RefusedException;
import org.hast4j.failure.Remedy;
import org.hast4j.io.CorruptFileException;
import org.hast4j.model.Normalization;

/** How a network's input is normalised, as a file's metadata say it. */
final class MetadataNormalization {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);

  private MetadataNormalization() {}

  /** Normalisation from metadata "mean" and "std", JSON arrays in units of v/255. */
  static Normalization of(Path file, Map<String, String> metadata) {
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
}
