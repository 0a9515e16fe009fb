package org.hast4j.cifar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.hast4j.cifar.Cifar10.Split;
import org.hast4j.data.ImageSet;
import org.junit.jupiter.api.Test;

class CifarPartsTest {
  @Test
  void binaryBatchesKeepTheirOrder() throws IOException {
    CifarParts parts = new CifarParts();
    for (int batch = 5; batch >= 1; batch--) {
      assertThat(parts.complete()).isFalse();
      parts.add("data_batch_" + batch + ".bin", batch(batch));
    }
    assertThat(parts.missing()).isEqualTo("images of test_batch, labels of test_batch");
    parts.add("test_batch.bin", batch(6));
    assertThat(parts.complete()).isTrue();
    byte[] train = parts.records(Split.TRAIN);
    for (int batch = 1; batch <= 5; batch++) {
      assertThat(train[(batch - 1) * 30_730_000]).isEqualTo((byte) batch);
      assertThat(train[batch * 30_730_000 - 1]).isEqualTo((byte) -batch);
    }
    assertThat(parts.records(Split.TEST)).isEqualTo(batch(6));
  }

  @Test
  void spritesBecomeRecords() throws IOException {
    // Every channel has its own pattern, so that no swap of channels, rows or images goes unseen.
    BufferedImage sprites = new BufferedImage(1024, 10_000, BufferedImage.TYPE_INT_RGB);
    for (int image = 0; image < 10_000; image++) {
      for (int i = 0; i < 1024; i++) {
        sprites.setRGB(i, image, (red(image, i) << 16) | (green(image, i) << 8) | blue(i));
      }
    }
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    ImageIO.write(sprites, "png", png);
    String labels =
        IntStream.range(0, 10_000)
            .mapToObj(image -> Integer.toString(image % 7))
            .collect(Collectors.joining(",", "[", "]"));

    CifarParts parts = new CifarParts();
    parts.add("test_batch.png", png.toByteArray());
    assertThat(parts.missing()).contains("labels of test_batch").doesNotContain("images of test");
    parts.add("test_lables.json", labels.getBytes(StandardCharsets.US_ASCII));
    assertThat(parts.missing()).doesNotContain("test_batch");

    ImageSet images = Cifar10.imageSet(parts.records(Split.TEST));
    assertThat(images.count()).isEqualTo(10_000);
    for (int image : new int[] {0, 1, 4321, 9_999}) {
      assertThat(images.label(image)).isEqualTo(image % 7);
      for (int i = 0; i < 1024; i++) {
        assertThat(images.pixel(image, 0, i / 32, i % 32)).isEqualTo(red(image, i));
        assertThat(images.pixel(image, 1, i / 32, i % 32)).isEqualTo(green(image, i));
        assertThat(images.pixel(image, 2, i / 32, i % 32)).isEqualTo(blue(i));
      }
    }
  }

  @Test
  void wrongSizesAndFormsAreRefused() {
    CifarParts parts = new CifarParts();
    assertThatThrownBy(() -> parts.add("data_batch_1.bin", new byte[30_729_999]))
        .hasMessage("data_batch_1.bin has 30729999 bytes instead of 30730000");
    assertThatThrownBy(() -> parts.add("test_batch.png", new byte[10]))
        .hasMessage("test_batch.png is not a PNG image");
    assertThatThrownBy(() -> parts.add("test_batch.png", png(32, 32)))
        .hasMessageContaining("is 32 x 32 with 3 channels instead of 1024 x 10000");
    assertThatThrownBy(
            () -> parts.add("test_lables.json", "[1,2]".getBytes(StandardCharsets.UTF_8)))
        .hasMessageContaining("2 labels instead of 10000");
    assertThatThrownBy(() -> parts.add("test_lables.json", "{}".getBytes(StandardCharsets.UTF_8)))
        .hasMessageContaining("not a JSON array");
    assertThatThrownBy(() -> parts.add("test_lables.json", "[1,".getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(IOException.class);
  }

  @Test
  void namesAreToldApart() {
    assertThat(CifarParts.wants("data_batch_5.bin")).isTrue();
    assertThat(CifarParts.wants("train_lables.json")).isTrue();
    assertThat(CifarParts.wants("train.bin")).isTrue();
    assertThat(CifarParts.wants("data_batch_6.bin")).isFalse();
    assertThat(CifarParts.wants("data_batch_1")).isFalse();
    assertThat(CifarParts.isPythonVersion("data_batch_1")).isTrue();
    assertThat(CifarParts.isPythonVersion("data_batch_1.bin")).isFalse();
  }

  private static int red(int image, int i) {
    return (image + i) & 255;
  }

  private static int green(int image, int i) {
    return (3 * image + 5 * i + 1) & 255;
  }

  private static int blue(int i) {
    return (7 * i) >> 5 & 255;
  }

  private static byte[] batch(int mark) {
    byte[] batch = new byte[30_730_000];
    batch[0] = (byte) mark;
    batch[batch.length - 1] = (byte) -mark;
    return batch;
  }

  private static byte[] png(int width, int height) throws IOException {
    ByteArrayOutputStream png = new ByteArrayOutputStream();
    ImageIO.write(new BufferedImage(width, height, BufferedImage.TYPE_3BYTE_BGR), "png", png);
    return png.toByteArray();
  }
}
