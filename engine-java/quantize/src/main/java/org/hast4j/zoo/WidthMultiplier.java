package org.hast4j.zoo;

import java.math.BigDecimal;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.LongUnaryOperator;
import java.util.stream.IntStream;
import org.hast4j.failure.RefusedException;

/**
 * What a MobileNet's numbers of channels are multiplied with, in twentieths: 1 in the papers, 0.25
 * to 1.4 in published networks.
 */
record WidthMultiplier(long twentieths) {
  /** What {@link #suffix} gives, for patterns of names: one group. */
  static final String SUFFIX = "(?:-w(\\d{1,3}(?:\\.\\d{1,4})?))?";

  // A bound on what a file may ask for, beyond any network in use.
  private static final int MAX_TWENTIETHS = 80;
  private static final int ONE = 20;
  private static final int MULTIPLE = 8;

  WidthMultiplier {
    if (twentieths < 1 || twentieths > MAX_TWENTIETHS) {
      throw new RefusedException("the width multiplier must be 0.05 to 4, got " + text(twentieths));
    }
  }

  /**
   * The multiplier of a value.
   *
   * @throws RefusedException if it is not a multiple of 0.05 from 0.05 to 4
   */
  static WidthMultiplier of(double value) {
    long twentieths = Math.round(value * ONE);
    if (!(Math.abs(value * ONE - twentieths) < 1e-9)) {
      throw new RefusedException(
          "the width multiplier must be a multiple of 0.05 from 0.05 to 4, got " + value);
    }
    return new WidthMultiplier(twentieths);
  }

  /** A multiplier in a name, 1 if it is not there. */
  static WidthMultiplier parse(String text) {
    return text == null ? new WidthMultiplier(ONE) : of(Double.parseDouble(text));
  }

  /**
   * The smallest multiplier with which a network has such channels; empty if there is none.
   *
   * @param widths what it has with a multiplier
   */
  static Optional<WidthMultiplier> of(
      List<Long> channels, Function<WidthMultiplier, List<Long>> widths) {
    return IntStream.rangeClosed(1, MAX_TWENTIETHS)
        .mapToObj(WidthMultiplier::new)
        .filter(width -> widths.apply(width).equals(channels))
        .findFirst();
  }

  /** What the name of a network has that is perhaps of a multiplier. */
  static String suffix(Optional<WidthMultiplier> width) {
    return width.map(WidthMultiplier::suffix).orElse("-irregular");
  }

  /** So many channels times the multiplier, rounded down. */
  long roundedDown(long channels) {
    return Math.max(1, channels * twentieths / ONE);
  }

  /**
   * So many channels times the multiplier, rounded to a multiple of 8 that is at least 8 and not
   * more than a tenth below.
   */
  long roundedToEights(long channels) {
    long exact = channels * twentieths;
    long rounded = Math.max(1, (exact + ONE * MULTIPLE / 2) / (ONE * MULTIPLE)) * MULTIPLE;
    return rounded * ONE * 10 < exact * 9 ? rounded + MULTIPLE : rounded;
  }

  /** Many numbers of channels, each times the multiplier. */
  static List<Long> each(List<Integer> channels, LongUnaryOperator rounded) {
    return channels.stream().map(count -> rounded.applyAsLong(count)).toList();
  }

  /** The multiplier itself, or 1 if that is more. */
  WidthMultiplier atLeastOne() {
    return twentieths < ONE ? new WidthMultiplier(ONE) : this;
  }

  /** What names have of it: nothing for 1, else -w0.5 and the like. */
  String suffix() {
    return twentieths == ONE ? "" : "-w" + text(twentieths);
  }

  private static String text(long twentieths) {
    return BigDecimal.valueOf(twentieths).divide(BigDecimal.valueOf(ONE)).toPlainString();
  }
}
