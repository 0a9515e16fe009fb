package org.hast4j.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WindowTest {
  @ParameterizedTest
  @CsvSource({
    // image, filter, stride, before, behind, dilation, output
    "32, 3, 1, 1, 1, 1, 32",
    "224, 7, 2, 3, 3, 1, 112",
    "224, 3, 2, 0, 1, 1, 112",
    "7, 2, 3, 0, 0, 1, 2",
    "9, 3, 1, 0, 0, 4, 1",
    "9, 1, 9, 0, 0, 5, 1",
    "1, 3, 1, 1, 1, 1, 1"
  })
  void outputsAlongAnAxis(
      long image, long filter, int stride, int before, int behind, int dilation, long output) {
    Window down = new Window(stride, 1, before, 0, behind, 0, dilation, 1);
    Window across = new Window(1, stride, 0, before, 0, behind, 1, dilation);
    assertThat(down.height(image, filter)).isEqualTo(output);
    assertThat(across.width(image, filter)).isEqualTo(output);
  }

  /** The last output's last tap lies in the padded image, and another output's would not. */
  @Property
  void outputsAreAllThatFit(
      @ForAll @IntRange(min = 1, max = 40) int image,
      @ForAll @IntRange(min = 1, max = 7) int filter,
      @ForAll @IntRange(min = 1, max = 5) int stride,
      @ForAll @IntRange(max = 6) int before,
      @ForAll @IntRange(max = 6) int behind,
      @ForAll @IntRange(min = 1, max = 4) int dilation) {
    Window window = new Window(1, stride, 0, before, 0, behind, 1, dilation);
    int reach = (filter - 1) * dilation;
    if (image + before + behind <= reach) {
      assertThatThrownBy(() -> window.width(image, filter))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("filter of width " + filter);
      return;
    }
    long outputs = window.width(image, filter);
    assertThat(outputs).isPositive();
    assertThat((outputs - 1) * stride + reach).isLessThan(before + image + behind);
    assertThat(outputs * stride + reach).isGreaterThanOrEqualTo(before + image + behind);
  }

  @ParameterizedTest
  @CsvSource({
    "0,1,0,0,0,0,1,1", "1,0,0,0,0,0,1,1", "1,1,-1,0,0,0,1,1", "1,1,0,-1,0,0,1,1",
    "1,1,0,0,-1,0,1,1", "1,1,0,0,0,-1,1,1", "1,1,0,0,0,0,0,1", "1,1,0,0,0,0,1,-2"
  })
  void whatCannotBe(
      int strideH, int strideW, int top, int left, int bottom, int right, int downward, int along) {
    assertThatThrownBy(
            () -> new Window(strideH, strideW, top, left, bottom, right, downward, along))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("paddings %d, %d, %d and %d".formatted(top, left, bottom, right));
  }

  @Test
  void texts() {
    assertThat(new Window(2, 1)).hasToString("stride 2 pad 1");
    assertThat(new Window(1, 2, 0, 1, 2, 3, 1, 2))
        .hasToString("stride 1x2 pad 0,1,2,3 dilation 1x2");
    assertThat(new Window(2, 2, 0, 0, 1, 1, 1, 1)).hasToString("stride 2 pad 0,0,1,1");
    assertThat(new Window(1, 2, 0, 1, 2, 3, 4, 5).toArray())
        .containsExactly(1, 2, 0, 1, 2, 3, 4, 5);
  }
}
