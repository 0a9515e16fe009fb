package org.hast4j.model;

import java.util.Locale;
import java.util.Optional;
import org.hast4j.failure.RefusedException;

/**
 * How a picture of any size is brought to a network's: scaled, then cut to its middle. What is left
 * open here is as {@link #extent(Model.Input)} and {@link #filter} say.
 *
 * @param extent to what it is scaled
 * @param interpolation what a scaled pixel is made of
 */
public record Resize(Optional<Extent> extent, Optional<Interpolation> interpolation) {
  /** Nothing is said: everything is as usual. */
  public static final Resize USUAL = new Resize(Optional.empty(), Optional.empty());

  // Networks of small images are tested on the whole image, those of ImageNet on seven eighths.
  private static final int LARGEST_WHOLE = 64;
  private static final String SQUASH = "squash";

  /** To what a picture is scaled. */
  public sealed interface Extent {
    /**
     * Reads a number of pixels, or "squash".
     *
     * @throws RefusedException if it is neither
     */
    static Extent parse(String text) {
      if (text.equalsIgnoreCase(SQUASH)) {
        return new Squash();
      }
      try {
        return new ShorterSide(Integer.parseInt(text));
      } catch (NumberFormatException e) {
        throw new RefusedException(
            "'%s' is neither a number of pixels nor %s".formatted(text, SQUASH), e);
      }
    }
  }

  /** Until its shorter side has so many pixels; the rest of the longer one is cut off. */
  public record ShorterSide(int pixels) implements Extent {
    public ShorterSide {
      if (pixels < 1) {
        throw new RefusedException("a side needs at least 1 pixel, got " + pixels);
      }
    }

    @Override
    public String toString() {
      return Integer.toString(pixels);
    }
  }

  /** To the network's size, whatever becomes of its proportions; nothing is cut off. */
  public record Squash() implements Extent {
    @Override
    public String toString() {
      return SQUASH;
    }
  }

  /**
   * What a scaled pixel is made of: a filter over its neighbourhood, which grows as the picture
   * shrinks, so that no pixel is skipped.
   */
  public enum Interpolation {
    /** A triangle, as wide as two pixels. */
    BILINEAR,
    /** Keys' cubic with a = -1/2, as wide as four pixels. */
    BICUBIC;

    /**
     * Reads what {@link #toString} gives.
     *
     * @throws RefusedException if it is another one
     */
    public static Interpolation parse(String text) {
      for (Interpolation value : values()) {
        if (value.toString().equalsIgnoreCase(text)) {
          return value;
        }
      }
      throw new RefusedException("an interpolation is bilinear or bicubic, not '" + text + "'");
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** What is said here, and for the rest what another says. */
  public Resize or(Resize other) {
    return new Resize(extent.or(() -> other.extent), interpolation.or(() -> other.interpolation));
  }

  /**
   * To what a picture is scaled for a network; usually so that seven eighths of the shorter side
   * stay of images above 64 pixels, and all of it of smaller ones.
   */
  public Extent extent(Model.Input input) {
    int side = Math.max(input.height(), input.width());
    return extent.orElseGet(() -> new ShorterSide(side > LARGEST_WHOLE ? side * 8 / 7 : side));
  }

  /** The interpolation, usually bilinear. */
  public Interpolation filter() {
    return interpolation.orElse(Interpolation.BILINEAR);
  }

  /**
   * Refuses to scale pictures to less than a network takes.
   *
   * @throws RefusedException naming both sizes
   */
  public void check(Model.Input input) {
    int side = Math.max(input.height(), input.width());
    if (extent(input) instanceof ShorterSide(int pixels) && pixels < side) {
      throw new RefusedException(
          "pictures scaled to a shorter side of %d pixels are too small for a network of %dx%d images"
              .formatted(pixels, input.width(), input.height()));
    }
  }
}
