package org.hast4j.forward;

import org.hast4j.graph.Storage;
import org.hast4j.tensor.RangeRule;
import org.hast4j.tensor.StraightThrough;

/** What a forward pass does at BatchNorms and ReLUs. */
public sealed interface Mode {
  /** Running statistics, no quantisation of activations. */
  record Evaluation() implements Mode {}

  /**
   * Running statistics; activations quantised on their frozen ranges.
   *
   * @param straightThrough where the gradient passes the quantisers
   */
  record Quantized(ActivationQuantizers quantizers, StraightThrough straightThrough)
      implements Mode {
    /** For passes without a gradient. */
    public Quantized(ActivationQuantizers quantizers) {
      this(quantizers, StraightThrough.EVERYWHERE);
    }
  }

  /**
   * As {@link Quantized}, bit for bit, with what the quantisers take in at hand: {@link
   * Forward#activations}. Slower, for diagnosis.
   */
  record Observed(ActivationQuantizers quantizers) implements Mode {}

  /**
   * Running statistics; activations move their ranges and tracking states ([quantizers, 3]) and are
   * quantised on them.
   */
  record Calibrating(
      ActivationQuantizers quantizers, Storage states, float momentum, RangeRule rule)
      implements Mode {}

  /** Statistics of the batch, which move the running ones. */
  record Training(float momentum) implements Mode {}
}
