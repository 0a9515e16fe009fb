package org.hast4j.model;

import org.hast4j.failure.RefusedException;

/** What an activation does to every value. */
public sealed interface ActivationFunction {
  /**
   * min(x > 0 ? x : slope x, ceiling): slope 0 is ReLU, .01 LeakyReLU, and ceiling 6 ReLU6.
   *
   * @param slope for negative values
   * @param ceiling upper bound, above 0; finite with slope 0 only
   */
  record Relu(float slope, float ceiling) implements ActivationFunction {
    /**
     * @throws RefusedException if the ceiling is not above 0, or there is a slope beside it
     */
    public Relu {
      if (!(ceiling > 0)) {
        throw new RefusedException("a ReLU's ceiling must be above 0, got " + ceiling);
      }
      if (!Float.isFinite(slope) || slope != 0 && ceiling < Float.POSITIVE_INFINITY) {
        throw new RefusedException(
            "a ReLU has a slope or a ceiling, got slope %s and ceiling %s"
                .formatted(slope, ceiling));
      }
    }

    /** Without a slope. */
    public Relu(float ceiling) {
      this(0, ceiling);
    }

    /** Without a slope or an upper bound. */
    public Relu() {
      this(Float.POSITIVE_INFINITY);
    }
  }

  /** Those that nothing but their name describes, in PyTorch's formulas; GELU is the exact one. */
  enum Named implements ActivationFunction {
    HARD_SIGMOID,
    HARD_SWISH,
    SIGMOID,
    SILU,
    GELU
  }
}
