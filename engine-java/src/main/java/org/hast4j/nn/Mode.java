package org.hast4j.nn;

import org.hast4j.graph.RangeRule;
import org.hast4j.graph.Storage;
import org.hast4j.graph.StraightThrough;

/** What a forward pass does at BatchNorms and ReLUs. */
public sealed interface Mode {
  /** Running statistics, no quantisation of activations. */
  record Evaluation() implements Mode {}

  /**
   * Running statistics; every ReLU's output quantised on its frozen range, [quantisers, 2] floats.
   *
   * @param straightThrough where the gradient passes the quantisers
   */
  record Quantised(int bits, Storage ranges, StraightThrough straightThrough) implements Mode {
    /** For passes without a gradient. */
    public Quantised(int bits, Storage ranges) {
      this(bits, ranges, StraightThrough.EVERYWHERE);
    }
  }

  /**
   * As {@link Quantised}, bit for bit, with what the quantisers take in at hand: {@link
   * Forward#activations}. Slower, for diagnosis.
   */
  record Observed(int bits, Storage ranges) implements Mode {}

  /**
   * Running statistics; every ReLU's output moves its range ([quantisers, 2]) and tracking state
   * ([quantisers, 3]) and is quantised on it.
   */
  record Calibrating(int bits, Storage ranges, Storage states, float momentum, RangeRule rule)
      implements Mode {}

  /** Statistics of the batch, which move the running ones. */
  record Training(float momentum) implements Mode {}
}
