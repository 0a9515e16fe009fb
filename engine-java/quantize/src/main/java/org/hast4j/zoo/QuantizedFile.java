package org.hast4j.zoo;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.ModelDescription;
import org.hast4j.model.Scheme;
import org.hast4j.quant.QuantizedNetwork;
import org.hast4j.quant.Range;
import org.hast4j.source.Source;

/**
 * Quantised networks in files of every format there was. Files of the first say their structure by
 * a built-in topology's name, one bit width for all layers, and ranges in the order of the layers.
 */
public final class QuantizedFile {
  private static final String RANGES_IN_ORDER = "activation_ranges";

  private QuantizedFile() {}

  /** Whether a file is a safetensors file that holds a quantised network. */
  public static boolean isOne(Path path) {
    return Source.isSafetensors(path) && QuantizedNetwork.isOne(Source.read(path).metadata());
  }

  /**
   * Reads a quantised network of any format.
   *
   * @throws CorruptFileException if it is damaged, of a newer version or something else
   */
  public static QuantizedNetwork read(Path path) {
    Safetensors file = Safetensors.read(path);
    if (!QuantizedNetwork.isOne(file.metadata()) || !QuantizedNetwork.format(file).equals("1")) {
      return QuantizedNetwork.read(path);
    }
    try {
      return ofNames(path, file);
    } catch (RefusedException e) {
      throw new CorruptFileException(path, e.getMessage(), e);
    }
  }

  private static QuantizedNetwork ofNames(Path path, Safetensors file) {
    Model model = Topologies.named(file.required("topology"));
    ModelDescription description =
        new ModelDescription(model, Optional.of(MetadataNormalization.of(path, file.metadata())));
    Bits bits =
        new Bits(
            file.whole("weight_bits", Integer::valueOf),
            file.whole("activation_bits", Integer::valueOf));
    List<String> activations = model.activations();
    float[] rows = file.sized(RANGES_IN_ORDER, 2L * activations.size()).floats();
    Map<String, Range> ranges = new LinkedHashMap<>();
    for (String layer : activations) {
      int row = ranges.size();
      ranges.put(layer, new Range(rows[2 * row], rows[2 * row + 1]));
    }
    return QuantizedNetwork.of(file, description, new Scheme(bits), ranges);
  }
}
