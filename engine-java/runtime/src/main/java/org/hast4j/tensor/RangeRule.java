package org.hast4j.tensor;

/** How the bias correction of tracked activation ranges is applied (algorithm section 2). */
public enum RangeRule {
  /** A moving average whose correction is applied to the result only. */
  CORRECT,
  /**
   * The released code's: the correction is folded into the state, which is off by orders of
   * magnitude at first.
   */
  RELEASED
}
