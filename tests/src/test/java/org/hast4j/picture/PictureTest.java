package org.hast4j.picture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Sha256;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.model.Model;
import org.hast4j.model.Resize;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Pictures of every kind against what Pillow makes of them; make.py beside them made both. */
class PictureTest {
  static final Path PICTURES = Path.of("src/test/resources/pictures");
  private static final int SIDE = 24;

  @TempDir private Path folder;

  static Stream<String[]> expected() throws IOException {
    return Files.readAllLines(PICTURES.resolve("expected.tsv")).stream()
        .map(line -> line.split("\t"));
  }

  static Stream<String[]> decoded() throws IOException {
    return expected().filter(line -> line.length == 3);
  }

  static Stream<String[]> scaled() throws IOException {
    return expected().filter(line -> line.length == 5);
  }

  private static Picture read(String name, String mode) {
    return Picture.read(PICTURES.resolve(name), mode.equals("L") ? 1 : 3);
  }

  @ParameterizedTest
  @MethodSource("decoded")
  void aPictureHasPillowsPixels(String name, String mode, String sha256) {
    Picture picture = read(name, mode);
    assertThat(picture.width()).isEqualTo(37);
    assertThat(picture.height()).isEqualTo(29);
    assertThat(Sha256.of(picture.pixels())).isEqualTo(sha256);
  }

  @ParameterizedTest
  @MethodSource("scaled")
  void aScaledPictureHasPillowsPixels(
      String name, String mode, String extent, String filter, String sha256) {
    Picture picture = read(name, mode);
    Resize resize =
        new Resize(
            Optional.of(Resize.Extent.parse(extent)),
            Optional.of(Resize.Interpolation.parse(filter)));
    Model.Input input = new Model.Input("image", SIDE, SIDE, picture.channels());
    assertThat(Sha256.of(Resampling.resized(picture, input, resize))).isEqualTo(sha256);
  }

  private static byte[] squashed(Picture picture, int width, int height) {
    return Resampling.resized(
        picture,
        new Model.Input("image", height, width, picture.channels()),
        new Resize(Optional.of(new Resize.Squash()), Optional.empty()));
  }

  /**
   * Four pixels to two: each sees those less than two away from its centre, 1 and 3, with weights 1
   * - d / 2: 3/4, 3/4, 1/4 of the first three, and likewise from the other end.
   */
  @Test
  void aTriangleWeighsNeighbors() {
    byte[] row = {0, 70, (byte) 140, (byte) 210};
    byte[] half = squashed(new Picture(4, 1, 1, row), 2, 1);
    assertThat(half).containsExactly((3 * 70 + 140) / 7, (70 + 3 * 140 + 3 * 210) / 7);
    assertThat(squashed(new Picture(1, 4, 1, row), 1, 2)).containsExactly(half);
  }

  /** Two pixels to four: a quarter of the neighbour, and at the edges nothing. */
  @Test
  void smallPicturesAreEnlarged() {
    byte[] row = {40, 80};
    assertThat(squashed(new Picture(2, 1, 1, row), 4, 1)).containsExactly(40, 50, 70, 80);
    assertThat(squashed(new Picture(1, 2, 1, row), 1, 4)).containsExactly(40, 50, 70, 80);
    assertThat(squashed(new Picture(1, 1, 3, new byte[] {7, 8, 9}), 3, 1))
        .containsExactly(7, 7, 7, 8, 8, 8, 9, 9, 9);
  }

  /** Of 5 pixels more than are taken 2 are in front, of 3 more 2: halves are rounded to even. */
  @Test
  void theMiddleIsWherePythonRoundsIt() {
    byte[] pixels = new byte[9];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) i;
    }
    Resize one = new Resize(Optional.of(new Resize.ShorterSide(1)), Optional.empty());
    for (int[] sizes : new int[][] {{9, 4, 2}, {7, 4, 2}, {5, 4, 0}, {8, 4, 2}}) {
      Picture row = new Picture(sizes[0], 1, 1, Arrays.copyOf(pixels, sizes[0]));
      byte[] cut = Resampling.resized(row, new Model.Input("image", 1, sizes[1], 1), one);
      assertThat(cut[0]).as("%d of %d", sizes[1], sizes[0]).isEqualTo((byte) sizes[2]);
    }
  }

  @ParameterizedTest
  @CsvSource({"420.jpg", "progressive.jpg", "rgb.png", "palette.png", "palette.gif", "rgb.bmp"})
  void aTruncatedPictureIsNamed(String name) throws IOException {
    byte[] whole = Files.readAllBytes(PICTURES.resolve(name));
    for (int bytes = 0; bytes < whole.length - 20; bytes += 97) {
      Path file = Files.write(folder.resolve(name), Arrays.copyOf(whole, bytes));
      assertThatThrownBy(() -> Picture.read(file, 3))
          .as("%d of %d bytes", bytes, whole.length)
          .isInstanceOf(CorruptFileException.class)
          .hasMessageContaining(name)
          .hasMessageNotContaining("null");
    }
  }

  /** A JPEG's reader fills up what is missing, even if it is the last line only. */
  @Test
  void aJpegWithoutItsEndIsTruncated() throws IOException {
    byte[] whole = Files.readAllBytes(PICTURES.resolve("444.jpg"));
    Path file = Files.write(folder.resolve("a.jpg"), Arrays.copyOf(whole, whole.length - 2));
    assertThatThrownBy(() -> Picture.read(file, 3)).hasMessageContaining("it is truncated");
  }

  @Test
  void whatIsNoPictureIsNamed() throws IOException {
    Path page = Files.writeString(folder.resolve("a.png"), "<html>");
    assertThatThrownBy(() -> Picture.read(page, 3))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("a.png")
        .hasMessageContaining("no image that is known here");
    assertThatThrownBy(() -> Picture.read(folder.resolve("none.png"), 3))
        .isInstanceOf(UnreadableFileException.class)
        .hasMessageContaining("none.png");
  }

  /** Its header promises 10 000 megapixels; nothing is allocated for them. */
  @Test
  void aPictureTooLargeIsRefused() throws IOException {
    byte[] bytes = Files.readAllBytes(PICTURES.resolve("rgb.png"));
    ByteBuffer.wrap(bytes).putInt(16, 100_000).putInt(20, 100_000);
    CRC32 checksum = new CRC32();
    checksum.update(bytes, 12, 17);
    ByteBuffer.wrap(bytes).putInt(29, (int) checksum.getValue());
    Path file = Files.write(folder.resolve("a.png"), bytes);
    assertThatThrownBy(() -> Picture.read(file, 3))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("10000000000 pixels");
  }
}
