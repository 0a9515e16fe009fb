package org.hast4j.forward;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;
import org.hast4j.model.Scheme;

/**
 * The activation quantizers of a network on a device.
 *
 * @param bits of each, by the layer it belongs to ({@link Scheme#quantizers}), in the order of the
 *     storage
 * @param ranges [quantizers, 2] floats, {min, max}
 */
public record ActivationQuantizers(SequencedMap<String, Integer> bits, Storage ranges) {
  public ActivationQuantizers {
    bits = Collections.unmodifiableSequencedMap(new LinkedHashMap<>(bits));
  }

  /** Those of a scheme, with a storage for their ranges. */
  public static ActivationQuantizers of(Model model, Scheme scheme) {
    SequencedMap<String, Integer> bits = new LinkedHashMap<>();
    for (String layer : scheme.quantizers(model)) {
      bits.put(layer, scheme.activationBits(model, layer));
    }
    return new ActivationQuantizers(
        bits, Storage.of("activation ranges", TensorType.f32(rows(bits), 2)));
  }

  /** A tensor cannot be empty, a network without activations can be. */
  private static int rows(Map<String, Integer> bits) {
    return Math.max(1, bits.size());
  }

  /** Rows of what is kept for each. */
  public int rows() {
    return rows(bits);
  }

  /** The row of a layer's quantizer. */
  public int row(String layer) {
    int row = 0;
    for (String name : bits.keySet()) {
      if (name.equals(layer)) {
        return row;
      }
      row++;
    }
    throw new IllegalArgumentException("no activation quantizer at layer " + layer);
  }

  /** The range of a layer's quantizer. */
  Value range(Graph graph, String layer) {
    return graph.variable(ranges, row(layer) * 2L * Float.BYTES, TensorType.f32(2));
  }
}
