package org.hast4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import org.hast4j.tensor.Window;
import org.junit.jupiter.api.Test;

/** Times are kept under a product's text, from one run to the next. */
class ProductTest {
  private static String text(int groups, Window window) {
    ConvolutionShape shape = new ConvolutionShape(64, 32, 32, 16, 16, 3, 3, groups, window);
    return Product.convolution(shape, ConvolutionDirection.FORWARD, false).toString();
  }

  @Test
  void textsTellWindowsAndGroupsApart() {
    assertThat(text(1, new Window(1, 1)))
        .isEqualTo("convolution FORWARD 64x32x32x16 16x3x3 stride 1 pad 1");
    assertThat(text(2, new Window(1, 1)))
        .isEqualTo("convolution FORWARD 64x32x32x16 16x3x3 groups 2 stride 1 pad 1");
    assertThat(text(1, new Window(2, 2, 0, 0, 1, 1, 1, 1)))
        .isEqualTo("convolution FORWARD 64x32x32x16 16x3x3 stride 2 pad 0,0,1,1");
    assertThat(text(1, new Window(1, 1, 2, 1, 2, 1, 2, 1)))
        .isEqualTo("convolution FORWARD 64x32x32x16 16x3x3 stride 1 pad 2,1,2,1 dilation 2x1");
  }

  @Test
  void aProductOfMatricesHasOneGroupAndOneTapThatMeetsEveryPixel() {
    Window plain = new Window(1, 0);
    assertThat(isMatrixProduct(1, 1, plain)).isTrue();
    assertThat(isMatrixProduct(1, 2, plain)).isFalse();
    assertThat(isMatrixProduct(3, 1, plain)).isFalse();
    assertThat(isMatrixProduct(1, 1, new Window(1, 1))).isFalse();
    assertThat(isMatrixProduct(1, 1, new Window(2, 1, 0, 0, 0, 0, 1, 1))).isFalse();
    assertThat(isMatrixProduct(1, 1, new Window(1, 1, 0, 0, 1, 0, 1, 1))).isFalse();
    assertThat(isMatrixProduct(1, 1, new Window(1, 1, 0, 0, 0, 0, 3, 3))).isTrue();
  }

  private static boolean isMatrixProduct(long filter, int groups, Window window) {
    ConvolutionShape shape = new ConvolutionShape(2, 8, 8, 16, 16, filter, filter, groups, window);
    return Product.convolution(shape, ConvolutionDirection.FORWARD, false).isMatrixProduct();
  }
}
