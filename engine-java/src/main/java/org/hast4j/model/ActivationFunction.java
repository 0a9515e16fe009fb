package org.hast4j.model;

/** What an activation does to every value. */
public sealed interface ActivationFunction {
  /** min(max(x, 0), ceiling); 6 for ReLU6. */
  record Relu(float ceiling) implements ActivationFunction {
    /**
     * @throws IllegalArgumentException if the ceiling is not above 0
     */
    public Relu {
      if (!(ceiling > 0)) {
        throw new IllegalArgumentException("a ReLU's ceiling must be above 0, got " + ceiling);
      }
    }

    /** Without an upper bound. */
    public Relu() {
      this(Float.POSITIVE_INFINITY);
    }
  }
}
