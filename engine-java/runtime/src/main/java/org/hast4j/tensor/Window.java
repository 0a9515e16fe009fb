package org.hast4j.tensor;

/**
 * Where the taps of a convolution's filter lie: output pixel (i, j) and tap (u, v) meet input pixel
 * (i strideH + u dilationH - top, j strideW + v dilationW - left), which is 0 outside the image.
 *
 * @param strideH rows between outputs, at least 1
 * @param strideW columns between outputs, at least 1
 * @param top rows of padding above the image, at least 0
 * @param left columns of padding before it, at least 0
 * @param bottom rows of padding below it, at least 0
 * @param right columns of padding behind it, at least 0
 * @param dilationH rows between taps, at least 1
 * @param dilationW columns between taps, at least 1
 */
public record Window(
    int strideH,
    int strideW,
    int top,
    int left,
    int bottom,
    int right,
    int dilationH,
    int dilationW) {
  /**
   * Checks the ranges.
   *
   * @throws IllegalArgumentException if one is left
   */
  public Window {
    if (Math.min(strideH, strideW) < 1
        || Math.min(dilationH, dilationW) < 1
        || Math.min(Math.min(top, bottom), Math.min(left, right)) < 0) {
      throw new IllegalArgumentException(
          ("a window needs strides and dilations of at least 1 and paddings of at least 0, got"
                  + " strides %d and %d, paddings %d, %d, %d and %d, dilations %d and %d")
              .formatted(strideH, strideW, top, left, bottom, right, dilationH, dilationW));
    }
  }

  /** The same stride along both axes, as much padding on every side, and taps side by side. */
  public Window(int stride, int pad) {
    this(stride, stride, pad, pad, pad, pad, 1, 1);
  }

  /**
   * Height of the output.
   *
   * @param h of the image
   * @param r of the filter
   * @throws IllegalArgumentException if the dilated filter does not fit the padded image
   */
  public long height(long h, long r) {
    return outputs("height", h, r, strideH, top, bottom, dilationH);
  }

  /**
   * Width of the output.
   *
   * @param w of the image
   * @param s of the filter
   * @throws IllegalArgumentException if the dilated filter does not fit the padded image
   */
  public long width(long w, long s) {
    return outputs("width", w, s, strideW, left, right, dilationW);
  }

  private long outputs(
      String what, long size, long taps, int stride, int before, int behind, int dilation) {
    long outputs = count(size + before + behind, taps, stride, dilation);
    if (outputs == 0) {
      throw new IllegalArgumentException(
          "a filter of %s %d with %s does not fit an image of %s %d"
              .formatted(what, taps, this, what, size));
    }
    return outputs;
  }

  /**
   * Number of filters that fit along an axis, 0 if none does.
   *
   * @param size of the padded image
   * @param taps of the filter
   */
  public static long count(long size, long taps, long stride, long dilation) {
    long span = size - 1 - (taps - 1) * dilation;
    return span < 0 ? 0 : span / stride + 1;
  }

  /** Whether there is as much padding before the image as behind it, along both axes. */
  public boolean isSymmetric() {
    return top == bottom && left == right;
  }

  /** The components in their order. */
  public int[] toArray() {
    return new int[] {strideH, strideW, top, left, bottom, right, dilationH, dilationW};
  }

  /**
   * For example {@code stride 1 pad 1}, or with all of it {@code stride 1x2 pad 0,1,2,3 dilation
   * 1x2}.
   */
  @Override
  public String toString() {
    String text =
        strideH == strideW ? "stride " + strideH : "stride %dx%d".formatted(strideH, strideW);
    text +=
        isSymmetric() && top == left
            ? " pad " + top
            : " pad %d,%d,%d,%d".formatted(top, left, bottom, right);
    return dilationH == 1 && dilationW == 1
        ? text
        : text + " dilation %dx%d".formatted(dilationH, dilationW);
  }
}
