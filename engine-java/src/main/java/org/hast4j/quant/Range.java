package org.hast4j.quant;

/** The range that an activation quantizer spreads its levels over. */
public record Range(float min, float max) {
  /**
   * @throws IllegalArgumentException if a bound is no finite number
   */
  public Range {
    if (!Float.isFinite(min) || !Float.isFinite(max)) {
      throw new IllegalArgumentException("an activation range is %s to %s".formatted(min, max));
    }
  }
}
