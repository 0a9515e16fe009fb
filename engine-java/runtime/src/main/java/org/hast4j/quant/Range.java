package org.hast4j.quant;

import org.hast4j.failure.RefusedException;

/** The range that an activation quantizer spreads its levels over. */
public record Range(float min, float max) {
  /**
   * @throws RefusedException if a bound is no finite number
   */
  public Range {
    if (!Float.isFinite(min) || !Float.isFinite(max)) {
      throw new RefusedException("an activation range is %s to %s".formatted(min, max));
    }
  }
}
