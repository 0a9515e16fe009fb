package org.hast4j.hast;

import org.hast4j.exec.Memory;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.nn.Topology;

/**
 * Bit widths of a run and the device memory of its activation ranges.
 *
 * @param weightBits 2 to 8, every convolution and the classifier
 * @param activationBits 2 to 8, after every ReLU
 * @param ranges [quantisers, 2] floats {min, max}
 * @param rangeStates [quantisers, 3] floats, what range tracking carries from batch to batch
 */
public record Quantisation(
    int weightBits, int activationBits, Storage ranges, Storage rangeStates) {
  private static final int STATE = 3;

  public Quantisation {
    check("weights", weightBits);
    check("activations", activationBits);
  }

  private static void check(String what, int bits) {
    if (bits < 2 || bits > 8) {
      throw new IllegalArgumentException(
          "bit width of %s must be 2 to 8, got %d".formatted(what, bits));
    }
  }

  /** Bit widths for a network. */
  public static Quantisation of(Topology topology, int weightBits, int activationBits) {
    return new Quantisation(
        weightBits,
        activationBits,
        Storage.of("activation ranges", TensorType.f32(topology.quantisers(), 2)),
        Storage.of("range tracking", TensorType.f32(topology.quantisers(), STATE)));
  }

  /** Starts range tracking anew: {0, 0, 1}, as the kernel wants it. */
  void resetRanges(Memory memory) {
    float[] states = new float[Math.toIntExact(rangeStates.bytes() / Float.BYTES)];
    for (int i = STATE - 1; i < states.length; i += STATE) {
      states[i] = 1;
    }
    memory.buffer(rangeStates).upload(0, states);
    memory.buffer(ranges).clear();
  }
}
