package org.hast4j.forward;

import java.util.LinkedHashMap;
import java.util.Map;
import org.hast4j.exec.Memory;
import org.hast4j.failure.RefusedException;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.model.Model;
import org.hast4j.model.Scheme;
import org.hast4j.quant.Range;

/**
 * How a student is quantised, and where its ranges lie.
 *
 * @param rangeStates [quantizers, 3] floats, what range tracking carries from batch to batch
 */
public record QuantizationState(
    Scheme scheme, ActivationQuantizers quantizers, Storage rangeStates) {
  private static final int STATE = 3;

  /**
   * A scheme for a network.
   *
   * @throws RefusedException if the scheme names layers that are not the network's
   */
  public static QuantizationState of(Model model, Scheme scheme) {
    scheme.check(model);
    ActivationQuantizers quantizers = ActivationQuantizers.of(model, scheme);
    return new QuantizationState(
        scheme, quantizers, Storage.of("range tracking", TensorType.f32(quantizers.rows(), STATE)));
  }

  /** [quantizers, 2] floats {min, max}. */
  public Storage ranges() {
    return quantizers.ranges();
  }

  /** Puts ranges on the device. */
  public void upload(Memory memory, Map<String, Range> ranges) {
    float[] rows = new float[2 * quantizers.rows()];
    ranges.forEach(
        (layer, range) -> {
          rows[2 * quantizers.row(layer)] = range.min();
          rows[2 * quantizers.row(layer) + 1] = range.max();
        });
    memory.buffer(ranges()).upload(0, rows);
  }

  /** The ranges as they lie on the device, by the layer whose output they quantise. */
  public Map<String, Range> download(Memory memory) {
    float[] rows = memory.floats(ranges());
    Map<String, Range> ranges = new LinkedHashMap<>();
    for (String layer : quantizers.bits().keySet()) {
      int row = 2 * quantizers.row(layer);
      ranges.put(layer, new Range(rows[row], rows[row + 1]));
    }
    return ranges;
  }

  /** Starts range tracking anew: {0, 0, 1}, as the kernel wants it. */
  public void resetRanges(Memory memory) {
    float[] states = new float[Math.toIntExact(rangeStates.bytes() / Float.BYTES)];
    for (int i = STATE - 1; i < states.length; i += STATE) {
      states[i] = 1;
    }
    memory.buffer(rangeStates).upload(0, states);
    memory.buffer(ranges()).clear();
  }
}
