package org.hast4j.model;

import java.util.Arrays;
import java.util.stream.Collectors;
import org.hast4j.failure.RefusedException;

/** Where activations are quantized. */
public enum QuantizationPoints {
  /** What activation functions give, as in the paper. */
  PAPER("paper"),
  /**
   * What convolutions and linear layers read, each by a quantizer of its own; the image at 8 bits.
   * What an integer engine needs.
   */
  INPUTS("inputs");

  private final String text;

  QuantizationPoints(String text) {
    this.text = text;
  }

  /**
   * Reads what {@link #toString} writes.
   *
   * @throws RefusedException if it is something else
   */
  public static QuantizationPoints parse(String text) {
    for (QuantizationPoints points : values()) {
      if (points.text.equals(text)) {
        return points;
      }
    }
    throw new RefusedException(
        "quantization points are %s, got '%s'"
            .formatted(
                Arrays.stream(values()).map(Object::toString).collect(Collectors.joining(" or ")),
                text));
  }

  @Override
  public String toString() {
    return text;
  }
}
