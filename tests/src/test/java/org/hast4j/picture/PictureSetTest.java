package org.hast4j.picture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import javax.imageio.ImageIO;
import org.hast4j.data.ImageSet;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.model.Resize;
import org.hast4j.zoo.CifarResNet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pictures of any size, as a network takes them. */
class PictureSetTest {
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

  private PictureSet set() {
    return new PictureSet(LabeledFiles.unlabeled(folder), MODEL, Resize.USUAL);
  }

  private ImageSet decoded() {
    return set().decoded(_ -> {});
  }

  private static int rgb(int red, int green, int blue) {
    return red << 16 | green << 8 | blue;
  }

  @Test
  void imagesOfTheRightSizeStayAsTheyAre() throws IOException {
    write("a.png", SIDE, SIDE, (x, y) -> rgb(8 * x, 8 * y, x + y));
    ImageSet set = decoded();
    for (int y = 0; y < SIDE; y++) {
      for (int x = 0; x < SIDE; x++) {
        assertThat(set.pixel(0, 0, y, x)).isEqualTo(8 * x);
        assertThat(set.pixel(0, 1, y, x)).isEqualTo(8 * y);
        assertThat(set.pixel(0, 2, y, x)).isEqualTo(x + y);
      }
    }
  }

  /** The middle of the longer side stays. */
  @Test
  void wideImagesAreCut() throws IOException {
    write("a.png", 3 * SIDE, SIDE, (x, y) -> rgb(x, y, 0));
    ImageSet set = decoded();
    assertThat(set.pixel(0, 0, 7, 0)).isEqualTo(SIDE);
    assertThat(set.pixel(0, 0, 7, SIDE - 1)).isEqualTo(2 * SIDE - 1);
    assertThat(set.pixel(0, 1, 7, 0)).isEqualTo(7);
  }

  @Test
  void foldersBelowCountInTheOrderOfTheirPaths() throws IOException {
    write("b/two.png", SIDE, SIDE, (_, _) -> rgb(2, 0, 0));
    write("a/one.PNG", SIDE, SIDE, (_, _) -> rgb(1, 0, 0));
    Files.writeString(folder.resolve("a/readme.txt"), "no image");
    ImageSet set = decoded();
    assertThat(set.count()).isEqualTo(2);
    assertThat(set.pixel(0, 0, 0, 0)).isEqualTo(1);
    assertThat(set.pixel(1, 0, 0, 0)).isEqualTo(2);
  }

  /** In batches of any size, forwards or again from the start, a set is what it is in memory. */
  @Test
  void batchesAreThoseOfTheSetInMemory() throws IOException {
    List<Path> files = new ArrayList<>();
    int[] labels = new int[23];
    for (int i = 0; i < labels.length; i++) {
      int number = i;
      write(i + ".png", 40 + i, 50, (x, y) -> rgb(x * number, 5 * y, 10 * number));
      files.add(folder.resolve(i + ".png"));
      labels[i] = i % 10;
    }
    PictureSet set =
        new PictureSet(new LabeledFiles(files, labels, "a test's"), MODEL, Resize.USUAL);
    ImageSet memory = set.decoded(_ -> {});
    assertThat(memory.labels()).isEqualTo(labels);
    for (int batch : new int[] {1, 5, 23}) {
      for (int start = 0; start < labels.length; start += batch) {
        int end = Math.min(labels.length, start + batch);
        float[] values = new float[(end - start) * set.imageSize()];
        set.normalize(start, end, Normalization.CIFAR10, values);
        assertThat(values).isEqualTo(memory.normalized(start, end, Normalization.CIFAR10));
      }
    }
    float[] last = new float[set.imageSize()];
    set.normalize(7, 8, Normalization.CIFAR10, last);
    assertThat(last).isEqualTo(memory.normalized(7, 8, Normalization.CIFAR10));
  }

  /** Red weighs .299, as ITU-R 601-2 has it: 200 of it are 59.8. */
  @Test
  void oneChannelIsGray() throws IOException {
    Model.Builder net = new Model.Builder(new Model.Input("image", 4, 4, 1));
    net.add(
        "fc", new Operator.Linear(16, 2, true), net.add("flat", new Operator.Flatten(), "image"));
    write("a.png", 4, 4, (_, _) -> rgb(200, 0, 0));
    ImageSet set =
        new PictureSet(LabeledFiles.unlabeled(folder), net.build("gray"), Resize.USUAL)
            .decoded(_ -> {});
    assertThat(set.channels()).isEqualTo(1);
    assertThat(set.pixel(0, 0, 3, 3)).isEqualTo(60);
  }

  @Test
  void aDamagedPictureIsNamedWhenItsTurnComes() throws IOException {
    write("a.png", SIDE, SIDE, (_, _) -> 0);
    Files.writeString(folder.resolve("b.png"), "<html>");
    PictureSet set = set();
    float[] image = new float[set.imageSize()];
    set.normalize(0, 1, Normalization.CIFAR10, image);
    for (int again = 0; again < 2; again++) {
      assertThatThrownBy(() -> set.normalize(1, 2, Normalization.CIFAR10, image))
          .isInstanceOf(CorruptFileException.class)
          .hasMessageContaining("b.png");
    }
    assertThatThrownBy(this::decoded).hasMessageContaining("b.png");
  }

  @Test
  void whatDoesNotFitIsRefused() throws IOException {
    write("a.png", SIDE, SIDE, (_, _) -> 0);
    Resize less = new Resize(Optional.of(new Resize.ShorterSide(31)), Optional.empty());
    assertThatThrownBy(() -> new PictureSet(LabeledFiles.unlabeled(folder), MODEL, less))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("31 pixels")
        .hasMessageContaining("32x32");
    float[] image = new float[3 * SIDE * SIDE];
    Normalization gray = new Normalization(new float[] {0}, new float[] {1});
    assertThatThrownBy(() -> set().normalize(0, 1, gray, image))
        .isInstanceOf(RefusedException.class);
    assertThatThrownBy(() -> set().normalize(0, 2, Normalization.CIFAR10, image))
        .isInstanceOf(IndexOutOfBoundsException.class);
    Model.Builder net = new Model.Builder(new Model.Input("image", 4, 4, 2));
    net.add(
        "fc", new Operator.Linear(32, 2, true), net.add("flat", new Operator.Flatten(), "image"));
    Model two = net.build("two");
    assertThatThrownBy(() -> new PictureSet(LabeledFiles.unlabeled(folder), two, Resize.USUAL))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("2 channels");
  }

  @Test
  void anEmptyFolderIsRefused() {
    assertThatThrownBy(this::decoded)
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("holds no images");
  }
}
