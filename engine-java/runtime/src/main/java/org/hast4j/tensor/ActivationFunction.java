package org.hast4j.tensor;

/**
 * What an activation does to every value.
 *
 * @param slope of negative values, a {@link Kind#RELU}'s only: 0 is ReLU, .01 LeakyReLU
 * @param ceiling upper bound, a {@link Kind#RELU}'s only and with slope 0: 6 is ReLU6, infinity
 *     none
 */
public record ActivationFunction(Kind kind, float slope, float ceiling) {
  private static final float UNBOUNDED = Float.POSITIVE_INFINITY;

  /** The formula: those of elementwise.h in the C ABI, in its order, which are PyTorch's. */
  public enum Kind {
    /** min(x > 0 ? x : slope x, ceiling). */
    RELU,
    HARD_SIGMOID,
    HARD_SWISH,
    SIGMOID,
    SILU,
    /** The exact one, of the error function. */
    GELU,
    MISH
  }

  /**
   * Checks slope and ceiling.
   *
   * @throws IllegalArgumentException if the ceiling is not above 0, there is a slope beside it, or
   *     the kind has neither
   */
  public ActivationFunction {
    checkRelu(slope, ceiling);
    if (kind != Kind.RELU && (slope != 0 || Float.isFinite(ceiling))) {
      throw new IllegalArgumentException(
          "%s takes neither slope nor ceiling, got slope %s, ceiling %s"
              .formatted(kind, slope, ceiling));
    }
  }

  /**
   * Checks what a ReLU is asked for.
   *
   * @throws IllegalArgumentException if the ceiling is not above 0, or there is a slope beside it
   */
  public static void checkRelu(float slope, float ceiling) {
    if (!(ceiling > 0) || !Float.isFinite(slope) || Float.isFinite(ceiling) && slope != 0) {
      throw new IllegalArgumentException(
          "an activation's ceiling is above 0, and finite for slope 0 only; got ceiling %s, slope %s"
              .formatted(ceiling, slope));
    }
  }

  /** One that nothing but its kind describes; of {@link Kind#RELU} the plain ReLU. */
  public ActivationFunction(Kind kind) {
    this(kind, 0, UNBOUNDED);
  }

  /** The plain ReLU. */
  public static ActivationFunction relu() {
    return new ActivationFunction(Kind.RELU);
  }

  /** A ReLU with an upper bound. */
  public static ActivationFunction boundedRelu(float ceiling) {
    return new ActivationFunction(Kind.RELU, 0, ceiling);
  }

  /** A ReLU with a slope of negative values. */
  public static ActivationFunction leakyRelu(float slope) {
    return new ActivationFunction(Kind.RELU, slope, UNBOUNDED);
  }
}
