package org.hast4j.kernel;

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
 * @param stride in both directions
 * @param pad zeros on each side
 */
public record ConvolutionShape(
    long n, long h, long w, long c, long k, long r, long s, int stride, int pad) {
  /** Height of the output. */
  public long p() {
    return (h + 2 * pad - r) / stride + 1;
  }

  /** Width of the output. */
  public long q() {
    return (w + 2 * pad - s) / stride + 1;
  }

  /** Elements of the input [n, h, w, c]. */
  public long inputElements() {
    return n * h * w * c;
  }

  /** Elements of the filters [k, r, s, c]. */
  public long weightElements() {
    return k * r * s * c;
  }

  /** Elements of the output [n, p, q, k]. */
  public long outputElements() {
    return n * p() * q() * k;
  }

  /** For example {@code 64x32x32x16 16x3x3 stride 1 pad 1}. */
  @Override
  public String toString() {
    return "%dx%dx%dx%d %dx%dx%d stride %d pad %d".formatted(n, h, w, c, k, r, s, stride, pad);
  }
}
