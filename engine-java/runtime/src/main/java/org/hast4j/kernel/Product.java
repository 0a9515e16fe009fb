package org.hast4j.kernel;

/**
 * A product that a layer computes: the key by which a method for it is chosen.
 *
 * @param shape for a linear layer that of a 1x1 convolution of images with one pixel
 * @param linear whether the layer is linear, and not a convolution
 * @param bias whether the output has a bias; only forward
 */
public record Product(
    ConvolutionShape shape, ConvolutionDirection direction, boolean linear, boolean bias) {
  /** A product of a convolution. */
  public static Product convolution(
      ConvolutionShape shape, ConvolutionDirection direction, boolean bias) {
    return new Product(shape, direction, false, bias);
  }

  /** A product of a linear layer. */
  public static Product linear(
      long n, long inputs, long outputs, ConvolutionDirection direction, boolean bias) {
    return new Product(
        new ConvolutionShape(n, 1, 1, inputs, outputs, 1, 1, 1, 0), direction, true, bias);
  }

  /** Whether it is one product of two matrices. */
  public boolean isMatrixProduct() {
    return shape.r() == 1
        && shape.s() == 1
        && shape.groups() == 1
        && shape.window().strideH() == 1
        && shape.window().strideW() == 1
        && shape.p() == shape.h()
        && shape.q() == shape.w();
  }

  /** Rows of the input and of the output as matrices: the pixels of all images. */
  public long matrixRows() {
    return shape.n() * shape.h() * shape.w();
  }

  /** Whether it also gives the gradient of a bias. */
  public boolean hasBiasGradient() {
    return linear && direction == ConvolutionDirection.WEIGHT_GRADIENT;
  }

  /**
   * For example {@code convolution FORWARD 64x32x32x16 16x3x3 stride 1 pad 1} or {@code linear
   * FORWARD 64x64 10 bias}.
   */
  @Override
  public String toString() {
    return (linear
            ? "linear %s %dx%d %d".formatted(direction, shape.n(), shape.c(), shape.k())
            : "convolution %s %s".formatted(direction, shape))
        + (bias ? " bias" : "");
  }
}
