package org.hast4j.cifar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPOutputStream;
import org.hast4j.data.ImageSet;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** CIFAR's binary files, told apart by what they hold. */
class CifarFileTest {
  private static final int IMAGE = 3072;

  @TempDir private Path folder;

  /** Records of label bytes and one value per image: its number. */
  private static byte[] records(int[]... labels) {
    int size = labels[0].length + IMAGE;
    byte[] records = new byte[labels.length * size];
    for (int i = 0; i < labels.length; i++) {
      Arrays.fill(records, i * size, (i + 1) * size, (byte) (i + 1));
      for (int k = 0; k < labels[i].length; k++) {
        records[i * size + k] = (byte) labels[i][k];
      }
    }
    return records;
  }

  private Path write(String name, byte[] records) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.write(file, records);
  }

  @Test
  void oneLabelIsCifar10() throws IOException {
    ImageSet set = CifarFile.read(write("a", records(new int[] {9}, new int[] {0})), 10);
    assertThat(set.labels()).containsExactly(9, 0);
    assertThat(set.classes()).isEqualTo(10);
    assertThat(set.pixel(1, 2, 31, 31)).isEqualTo(2);
    assertThat(set.pixel(0, 0, 0, 0)).isEqualTo(1);
  }

  /** Of 100 classes the fine label counts, of 20 the coarse one. */
  @Test
  void twoLabelsAreCifar100() throws IOException {
    Path file = write("a", records(new int[] {19, 99}, new int[] {3, 4}));
    assertThat(CifarFile.read(file, 100).labels()).containsExactly(99, 4);
    assertThat(CifarFile.read(file, 20).labels()).containsExactly(19, 3);
    assertThat(CifarFile.read(file, 100).pixel(1, 0, 0, 0)).isEqualTo(2);
    assertThatThrownBy(() -> CifarFile.read(file, 10))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("100 of CIFAR-100")
        .hasMessageContaining("the network tells 10 apart");
  }

  /** 3074 records of one label are as long as 3073 of two: zeros are both. */
  @Test
  void theNetworkDecidesWhereBothFit() throws IOException {
    Path file = write("a", new byte[3073 * 3074]);
    assertThat(CifarFile.read(file, 10).count()).isEqualTo(3074);
    assertThat(CifarFile.read(file, 100).count()).isEqualTo(3073);
  }

  @Test
  void packedFilesAreRead() throws IOException {
    Path file = folder.resolve("a.bin.gz");
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
      out.write(records(new int[] {7}));
    }
    assertThat(CifarFile.read(file, 10).labels()).containsExactly(7);
    byte[] whole = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(whole, whole.length - 9));
    assertThatThrownBy(() -> CifarFile.read(file, 10))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("a.bin.gz")
        .hasMessageContaining("unpacked");
  }

  @Test
  void otherSizesAndLabelsAreSaid() throws IOException {
    for (int bytes : new int[] {0, 1, 3072, 2 * 3073 + 1}) {
      Path file = write("a", new byte[bytes]);
      assertThatThrownBy(() -> CifarFile.read(file, 10))
          .isInstanceOf(CorruptFileException.class)
          .hasMessageContaining(bytes + " bytes are no whole number of CIFAR-10's records of 3073");
    }
    Path file = write("a", records(new int[] {1}, new int[] {10}));
    assertThatThrownBy(() -> CifarFile.read(file, 10))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("record 1 has label 10");
  }

  @Test
  void foldersHoldTheUsualFiles() throws IOException {
    assertThat(CifarFile.in(folder, 10)).isEmpty();
    Path hundred = write("cifar-100-binary/test.bin", new byte[0]);
    assertThat(CifarFile.in(folder, 10)).contains(hundred);
    Path ten = write("cifar-10-batches-bin/test_batch.bin.gz", new byte[0]);
    assertThat(CifarFile.in(folder, 10)).contains(ten);
    assertThat(CifarFile.in(folder, 100)).contains(hundred);
    assertThat(CifarFile.in(hundred.getParent(), 100)).contains(hundred);
  }
}
