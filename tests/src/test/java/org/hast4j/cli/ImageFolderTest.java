package org.hast4j.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.hast4j.data.ImageSet;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.model.Model;
import org.hast4j.zoo.CifarResNet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Images of any size, as a network takes them. */
class ImageFolderTest {
  private static final Model MODEL = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
  private static final int SIDE = 32;

  @TempDir private Path folder;

  @FunctionalInterface
  private interface Color {
    int at(int x, int y);
  }

  private void write(String name, int width, int height, Color color) throws IOException {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        image.setRGB(x, y, color.at(x, y));
      }
    }
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    assertThat(ImageIO.write(image, "png", file.toFile())).isTrue();
  }

  private ImageSet read() {
    return ImageFolder.read(folder, MODEL, new Reporter());
  }

  private static int rgb(int red, int green, int blue) {
    return red << 16 | green << 8 | blue;
  }

  @Test
  void imagesOfTheRightSizeStayAsTheyAre() throws IOException {
    write("a.png", SIDE, SIDE, (x, y) -> rgb(8 * x, 8 * y, x + y));
    ImageSet set = read();
    for (int y = 0; y < SIDE; y++) {
      for (int x = 0; x < SIDE; x++) {
        assertThat(set.pixel(0, 0, y, x)).isEqualTo(8 * x);
        assertThat(set.pixel(0, 1, y, x)).isEqualTo(8 * y);
        assertThat(set.pixel(0, 2, y, x)).isEqualTo(x + y);
      }
    }
  }

  /** Blocks of 4x4 pixels become one of their mean. */
  @Test
  void largeImagesAreAveraged() throws IOException {
    write("a.png", 4 * SIDE, 4 * SIDE, (x, y) -> rgb(x % 4 * 80, 40, x / 4));
    ImageSet set = read();
    for (int x = 0; x < SIDE; x++) {
      assertThat(set.pixel(0, 0, 5, x)).isBetween(119, 121);
      assertThat(set.pixel(0, 1, 5, x)).isEqualTo(40);
      assertThat(set.pixel(0, 2, 5, x)).isEqualTo(x);
    }
  }

  /** The middle of the longer side stays. */
  @Test
  void wideImagesAreCut() throws IOException {
    write("a.png", 3 * SIDE, SIDE, (x, y) -> rgb(x, y, 0));
    ImageSet set = read();
    assertThat(set.pixel(0, 0, 7, 0)).isEqualTo(SIDE);
    assertThat(set.pixel(0, 0, 7, SIDE - 1)).isEqualTo(2 * SIDE - 1);
    assertThat(set.pixel(0, 1, 7, 0)).isEqualTo(7);
  }

  @Test
  void smallImagesAreEnlarged() throws IOException {
    write("a.png", 5, 9, (_, _) -> rgb(10, 20, 30));
    assertThat(read().pixel(0, 2, SIDE - 1, SIDE - 1)).isEqualTo(30);
  }

  @Test
  void foldersBelowCountInTheOrderOfTheirPaths() throws IOException {
    write("b/two.png", SIDE, SIDE, (_, _) -> rgb(2, 0, 0));
    write("a/one.PNG", SIDE, SIDE, (_, _) -> rgb(1, 0, 0));
    Files.writeString(folder.resolve("a/readme.txt"), "no image");
    ImageSet set = read();
    assertThat(set.count()).isEqualTo(2);
    assertThat(set.pixel(0, 0, 0, 0)).isEqualTo(1);
    assertThat(set.pixel(1, 0, 0, 0)).isEqualTo(2);
  }

  @Test
  void whatIsNoImageIsNamed() throws IOException {
    Files.writeString(folder.resolve("a.png"), "<html>");
    assertThatThrownBy(this::read)
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("a.png");
  }

  @Test
  void anEmptyFolderIsRefused() {
    assertThatThrownBy(this::read)
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("holds no images");
  }
}
