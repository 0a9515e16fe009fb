package org.hast4j.model;

import org.hast4j.failure.RefusedException;

/**
 * What a convolution or pooling sees of its input at once, and how it moves.
 *
 * @param kernel size of the window, elements
 * @param strides elements from one window to the next
 * @param padding elements around the input: zeros for a convolution, never the largest of a pool
 * @param dilations elements from one element of the window to the next; 1 is a dense window
 */
public record Window(Size kernel, Size strides, Padding padding, Size dilations) {
  // A bound on what a file may ask for, far beyond any network in use.
  private static final int MAX_SIZE = 1024;

  /** Height and width. */
  public record Size(int height, int width) {
    private static Size checked(String what, Size size) {
      if (size.height < 1 || size.height > MAX_SIZE || size.width < 1 || size.width > MAX_SIZE) {
        throw new RefusedException("%s must be 1 to %d, got %s".formatted(what, MAX_SIZE, size));
      }
      return size;
    }

    @Override
    public String toString() {
      return height + "x" + width;
    }
  }

  /** Elements at each side. */
  public record Padding(int top, int left, int bottom, int right) {
    @Override
    public String toString() {
      return top == left && top == bottom && top == right
          ? Integer.toString(top)
          : "[%d, %d, %d, %d]".formatted(top, left, bottom, right);
    }
  }

  /**
   * Checks the sizes.
   *
   * @throws RefusedException if one is out of bounds
   */
  public Window {
    Size.checked("kernel", kernel);
    Size.checked("stride", strides);
    Size.checked("dilation", dilations);
    for (int side : new int[] {padding.top, padding.left, padding.bottom, padding.right}) {
      if (side < 0 || side > MAX_SIZE) {
        throw new RefusedException("padding must be 0 to %d, got %s".formatted(MAX_SIZE, padding));
      }
    }
  }

  /** A dense window that is the same in both directions. */
  public static Window square(int kernel, int stride, int padding) {
    return new Window(
        new Size(kernel, kernel),
        new Size(stride, stride),
        new Padding(padding, padding, padding, padding),
        new Size(1, 1));
  }

  /** How it moves, without the kernel's size. */
  public org.hast4j.tensor.Window movement() {
    return new org.hast4j.tensor.Window(
        strides.height,
        strides.width,
        padding.top,
        padding.left,
        padding.bottom,
        padding.right,
        dilations.height,
        dilations.width);
  }

  /** Number of windows that fit into so many rows, 0 if none does. */
  long heights(long rows) {
    return org.hast4j.tensor.Window.count(
        rows + padding.top + padding.bottom, kernel.height, strides.height, dilations.height);
  }

  /** Number of windows that fit into so many columns, 0 if none does. */
  long widths(long columns) {
    return org.hast4j.tensor.Window.count(
        columns + padding.left + padding.right, kernel.width, strides.width, dilations.width);
  }
}
