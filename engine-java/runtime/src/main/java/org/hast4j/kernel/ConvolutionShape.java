package org.hast4j.kernel;

import org.hast4j.tensor.Window;

/**
 * The sizes of a two-dimensional convolution, the same in all three directions.
 *
 * @param n images
 * @param h height of the input
 * @param w width of the input
 * @param c channels of the input
 * @param k channels of the output
 * @param r height of the filters
 * @param s width of the filters
 * @param groups that the channels of the input and of the output are divided into
 * @param window where the filters' taps lie
 */
public record ConvolutionShape(
    long n, long h, long w, long c, long k, long r, long s, int groups, Window window) {
  /** One group, a square stride and as much padding on every side. */
  public ConvolutionShape(
      long n, long h, long w, long c, long k, long r, long s, int stride, int pad) {
    this(n, h, w, c, k, r, s, 1, new Window(stride, pad));
  }

  /** Height of the output. */
  public long p() {
    return window.height(h, r);
  }

  /** Width of the output. */
  public long q() {
    return window.width(w, s);
  }

  /** Elements of the input [n, h, w, c]. */
  public long inputElements() {
    return n * h * w * c;
  }

  /** Elements of the filters [k, r, s, c / groups]. */
  public long weightElements() {
    return k * r * s * (c / groups);
  }

  /** Elements of the output [n, p, q, k]. */
  public long outputElements() {
    return n * p() * q() * k;
  }

  /**
   * For example {@code 64x32x32x16 16x3x3 stride 1 pad 1}, with {@code groups 2} before the window
   * where there are more than one.
   */
  @Override
  public String toString() {
    String divided = groups == 1 ? "" : " groups " + groups;
    return "%dx%dx%dx%d %dx%dx%d%s %s".formatted(n, h, w, c, k, r, s, divided, window);
  }
}
