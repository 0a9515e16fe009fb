package org.hast4j.model;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.failure.RefusedException;

/**
 * Bit widths of a layer, written W4A4.
 *
 * @param weights 2 to 8
 * @param activations 2 to 8
 */
public record Bits(int weights, int activations) {
  private static final int MIN = 2;
  private static final int MAX = 8;
  private static final Pattern TEXT = Pattern.compile("[Ww](\\d)[Aa](\\d)");

  /**
   * @throws RefusedException if one of them is not 2 to 8
   */
  public Bits {
    check("weights", weights);
    check("activations", activations);
  }

  private static void check(String what, int bits) {
    if (bits < MIN || bits > MAX) {
      throw new RefusedException("%s must have 2 to 8 bits, got %d".formatted(what, bits));
    }
  }

  /**
   * Reads what {@link #toString} writes.
   *
   * @throws RefusedException if it is something else
   */
  public static Bits parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (matcher.matches()) {
      int weights = Integer.parseInt(matcher.group(1));
      int activations = Integer.parseInt(matcher.group(2));
      if (Math.min(weights, activations) >= MIN && Math.max(weights, activations) <= MAX) {
        return new Bits(weights, activations);
      }
    }
    throw new RefusedException(
        "write W<bits of weights>A<bits of activations>, each 2 to 8, such as W4A4; got '%s'"
            .formatted(text));
  }

  @Override
  public String toString() {
    return "W" + weights + "A" + activations;
  }
}
