package org.hast4j.cifar;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;
import org.hast4j.data.ImageSet;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.UnreadableFileException;

/**
 * A file of CIFAR-10 or CIFAR-100 in the data sets' own binary layout, gzip-packed or not: for
 * every image one label byte or two, coarse and fine, then 1024 red, green and blue bytes.
 */
public final class CifarFile {
  // Beyond both training sets together.
  private static final int MAX_BYTES = 1 << 29;

  private static final List<String> TEN =
      List.of("test_batch.bin", "cifar-10-batches-bin/test_batch.bin");
  private static final List<String> HUNDRED = List.of("test.bin", "cifar-100-binary/test.bin");

  /** What a record's label bytes may be. */
  private enum Layout {
    CIFAR10("CIFAR-10", 1, 0, 10),
    CIFAR100("CIFAR-100", 2, 1, 100),
    SUPERCLASSES("CIFAR-100's superclasses", 2, 0, 20);

    private final String title;
    private final int labelBytes;
    private final int label;
    private final int classes;

    Layout(String title, int labelBytes, int label, int classes) {
      this.title = title;
      this.labelBytes = labelBytes;
      this.label = label;
      this.classes = classes;
    }

    int recordBytes() {
      return labelBytes + Cifar10.IMAGE_BYTES;
    }

    /** Why records are not of this layout; empty if they may be. */
    Optional<String> obstacle(byte[] records) {
      if (records.length == 0 || records.length % recordBytes() != 0) {
        return Optional.of(
            "%d bytes are no whole number of %s's records of %d"
                .formatted(records.length, title, recordBytes()));
      }
      for (int at = label; at < records.length; at += recordBytes()) {
        int value = Byte.toUnsignedInt(records[at]);
        if (value >= classes) {
          return Optional.of(
              "record %d has label %d, %s has %d classes"
                  .formatted(at / recordBytes(), value, title, classes));
        }
      }
      return Optional.empty();
    }
  }

  private CifarFile() {}

  /**
   * The test set in a folder, in the usual files: its own or those of the folders that the archives
   * unpack to.
   *
   * @param classes which data set is looked for first
   */
  public static Optional<Path> in(Path folder, int classes) {
    boolean ten = classes == Layout.CIFAR10.classes;
    return Stream.concat((ten ? TEN : HUNDRED).stream(), (ten ? HUNDRED : TEN).stream())
        .flatMap(name -> Stream.of(name, name + ".gz"))
        .map(folder::resolve)
        .filter(Files::isRegularFile)
        .findFirst();
  }

  /**
   * Reads a file. Which data set it is, its size and its labels say, and where both fit the number
   * of classes.
   *
   * @param classes that the network tells apart: 10, 100, or 20 for the superclasses
   * @throws RefusedException if it holds another number of classes
   * @throws CorruptFileException if it is neither data set, or damaged
   * @throws UnreadableFileException if it cannot be read
   */
  public static ImageSet read(Path file, int classes) {
    byte[] records = records(file);
    List<String> others = new ArrayList<>();
    List<String> obstacles = new ArrayList<>();
    for (Layout layout : Layout.values()) {
      Optional<String> obstacle = layout.obstacle(records);
      if (obstacle.isPresent()) {
        obstacles.add(obstacle.get());
      } else if (layout.classes == classes) {
        return Cifar10.imageSet(records, layout.labelBytes, layout.label, layout.classes);
      } else {
        others.add("%d of %s".formatted(layout.classes, layout.title));
      }
    }
    if (others.isEmpty()) {
      throw new CorruptFileException(
          file, "it is no file of CIFAR-10 or CIFAR-100: " + String.join("; ", obstacles));
    }
    throw new RefusedException(
        "%s holds images of %s classes, the network tells %d apart"
            .formatted(file, String.join(" or ", others), classes));
  }

  private static byte[] records(Path file) {
    byte[] bytes;
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw tooLarge(file);
      }
      bytes = Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    }
    if (bytes.length < 2 || bytes[0] != 0x1f || bytes[1] != (byte) 0x8b) {
      return bytes;
    }
    try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(bytes), 1 << 16)) {
      byte[] unpacked = in.readNBytes(MAX_BYTES + 1);
      if (unpacked.length > MAX_BYTES) {
        throw tooLarge(file);
      }
      return unpacked;
    } catch (IOException e) {
      throw new CorruptFileException(file, "it cannot be unpacked: " + e.getMessage(), e);
    }
  }

  private static CorruptFileException tooLarge(Path file) {
    return new CorruptFileException(
        file, "it is larger than %d bytes, this is hardly CIFAR".formatted(MAX_BYTES));
  }
}
