package org.hast4j.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.assertj.core.data.Offset;
import org.hast4j.model.Normalization;
import org.junit.jupiter.api.Test;

class ImageSetTest {
  /** Two images of 2 channels, 1 row, 3 columns. */
  private static ImageSet images() {
    byte[] pixels = {0, 51, 102, (byte) 153, (byte) 204, (byte) 255, 1, 2, 3, 4, 5, 6};
    return new ImageSet(10, 2, 1, 3, new int[] {7, 0}, pixels);
  }

  @Test
  void describesItsImages() {
    ImageSet images = images();
    assertThat(images.count()).isEqualTo(2);
    assertThat(images.imageSize()).isEqualTo(6);
    assertThat(images.labels()).containsExactly(7, 0);
    assertThat(images.label(0)).isEqualTo(7);
    assertThat(images.pixel(0, 1, 0, 2)).isEqualTo(255);
    assertThat(images.pixel(1, 0, 0, 1)).isEqualTo(2);
  }

  @Test
  void normalizesToChannelsLast() {
    Normalization normalization =
        new Normalization(new float[] {.2f, .4f}, new float[] {.5f, .25f});
    float[] first = images().normalized(0, 1, normalization);
    // (v / 255 - mean) / std; 51 / 255 is 0.2.
    float[] expected = {-.4f, .8f, 0f, 1.6f, .4f, 2.4f};
    assertThat(first).hasSize(6);
    for (int i = 0; i < 6; i++) {
      assertThat(first[i]).isCloseTo(expected[i], Offset.offset(1e-6f));
    }
    float[] both = images().normalized(0, 2, normalization);
    assertThat(both).startsWith(first);
    float[] reused = new float[8];
    images().normalize(1, 2, normalization, reused);
    for (int i = 0; i < 6; i++) {
      assertThat(reused[i]).isEqualTo(both[6 + i]);
    }
    assertThat(images().normalized(1, 1, normalization)).isEmpty();
  }

  @Test
  void refusesWhatDoesNotFit() {
    assertThatThrownBy(() -> new ImageSet(10, 3, 1, 1, new int[] {1}, new byte[2]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("need 3 bytes, got 2");
    assertThatThrownBy(() -> new ImageSet(10, 1, 1, 1, new int[] {10}, new byte[1]))
        .hasMessageContaining("label 10 of image 0");
    assertThatThrownBy(() -> images().normalized(0, 2, Normalization.CIFAR10))
        .hasMessageContaining("2 channels, the normalization has 3");
    Normalization two = new Normalization(new float[2], new float[] {1, 1});
    assertThatThrownBy(() -> images().normalized(1, 3, two))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> images().normalize(0, 2, two, new float[11]))
        .isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> images().pixel(0, 2, 0, 0))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void aNormalizationIsAValue() {
    float[] mean = {.5f};
    Normalization one = new Normalization(mean, new float[] {.5f});
    Normalization other = new Normalization(new float[] {.5f}, new float[] {.5f});
    mean[0] = 9;
    one.std()[0] = 9;
    assertThat(one).isEqualTo(other).hasSameHashCodeAs(other);
    assertThat(one).isNotEqualTo(new Normalization(new float[] {.5f}, new float[] {.25f}));
    assertThatThrownBy(() -> new Normalization(new float[2], new float[] {1}))
        .hasMessageContaining("got 2 and 1");
    assertThatThrownBy(() -> new Normalization(new float[1], new float[] {0}))
        .hasMessageContaining("channel 0");
    assertThatThrownBy(() -> new Normalization(new float[] {Float.NaN}, new float[] {1}))
        .isInstanceOf(IllegalArgumentException.class);
    // Of bytes rather than of shares of 255.
    assertThatThrownBy(() -> new Normalization(new float[] {125}, new float[] {.2f}))
        .hasMessageContaining("v / 255");
    assertThatThrownBy(() -> new Normalization(new float[] {.5f}, new float[] {63}))
        .hasMessageContaining("v / 255");
  }
}
