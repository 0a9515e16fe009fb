package org.hast4j.cifar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.hast4j.cifar.Cifar10.Split;
import org.hast4j.data.ImageSet;
import org.hast4j.io.CorruptFileException;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Cifar10Test {
  @TempDir Path folder;

  private Path cache;
  private Cifar10 cifar;

  @BeforeEach
  void emptyCache() {
    cache = folder.resolve("cache");
    cifar = new Cifar10(cache, List.of());
  }

  @Test
  void anEmptyCacheHoldsNothing() {
    assertThat(cifar.available()).isFalse();
    assertThatThrownBy(() -> cifar.load(Split.TEST))
        .isInstanceOf(DataUnavailableException.class)
        .hasMessageContaining(cache.toString())
        .hasMessageContaining("obtain");
  }

  @Test
  void aCacheWithOtherContentIsRefused() throws IOException {
    Files.createDirectories(cache);
    sparse(cache.resolve("train.bin"), 153_650_000);
    sparse(cache.resolve("test.bin"), 30_730_000);
    assertThat(cifar.available()).isTrue();
    assertThatThrownBy(() -> cifar.load(Split.TEST))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("test.bin")
        .hasMessageContaining("instead of 8e2eb146ae340b09e24670f29cabc632")
        .hasMessageContaining("delete the file");
  }

  @Test
  void filesOfTheRightSizeButOtherContentAreNotStored() throws IOException {
    Path given = Files.createDirectory(folder.resolve("given"));
    sparse(given.resolve("train.bin"), 153_650_000);
    sparse(given.resolve("test.bin"), 30_730_000);
    assertThatThrownBy(() -> cifar.obtain(Optional.of(given), Progress.SILENT))
        .isInstanceOf(DataUnavailableException.class)
        .hasMessageContaining("is not CIFAR-10")
        .hasMessageContaining("a0181da372c0d63a5920fdbea2ec3f83ecbc552d378218e1cb473cf634941a3b");
    assertNothingStored();
  }

  @Test
  void whatIsWrongWithTheUsersFilesIsSaid() throws IOException {
    Path given = Files.createDirectory(folder.resolve("given"));
    assertFailure(given, "lacks the images of data_batch_1");
    assertFailure(folder.resolve("nowhere"), "NoSuchFileException: " + folder.resolve("nowhere"));

    Files.createFile(given.resolve("data_batch_1"));
    assertFailure(given, "version for Python");

    Path archive = folder.resolve("a.tar.gz");
    Files.write(archive, Archives.tarGz(Map.of("cifar-10-batches-py/test_batch", new byte[9])));
    assertFailure(archive, "version for Python");
    Files.write(archive, Archives.tarGz(Map.of("readme", new byte[9])));
    assertFailure(archive, "lacks the images of data_batch_1");
    Files.write(archive, Archives.tarGz(Map.of("x/test_batch.bin", new byte[9])));
    assertFailure(archive, "test_batch.bin has 9 bytes instead of 30730000");
    byte[] whole = Archives.tarGz(Map.of("readme", new byte[9]));
    Files.write(archive, Arrays.copyOf(whole, whole.length / 2));
    assertFailure(archive, "EOFException");
    Files.writeString(archive, "no archive");
    assertFailure(archive, "GZIP");
    assertNothingStored();
  }

  @Test
  void everySourceIsTriedAndEveryFailureTold() throws IOException {
    HttpServer server =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext(
        "/gone",
        exchange -> {
          exchange.sendResponseHeaders(404, -1);
          exchange.close();
        });
    server.createContext(
        "/cut",
        exchange -> {
          byte[] body = Archives.tarGz(Map.of("x/test_batch.bin", new byte[1 << 20]));
          exchange.sendResponseHeaders(200, body.length);
          exchange.getResponseBody().write(body, 0, body.length / 2);
          exchange.getResponseBody().flush();
          exchange.close();
        });
    server.start();
    try {
      URI root = URI.create("http://" + authority(server) + "/");
      cifar =
          new Cifar10(
              cache,
              List.of(
                  new CifarSource.Home(root.resolve("gone")),
                  new CifarSource.Home(root.resolve("cut"))));
      assertThatThrownBy(() -> cifar.obtain(Optional.empty(), Progress.SILENT))
          .isInstanceOf(DataUnavailableException.class)
          .hasMessageContaining("/gone: IOException: the server answers with status 404")
          .hasMessageContaining("/cut: ")
          .hasMessageContaining("by other means")
          .satisfies(failure -> assertThat(failure.getSuppressed()).hasSize(2));
    } finally {
      server.stop(0);
    }
    assertNothingStored();
  }

  @Test
  void theScratchOfAKilledProcessGoesAway() throws IOException {
    Path left = Files.createDirectories(cache.resolve("obtaining-123/packed"));
    Files.createFile(left.resolve("half.tgz"));
    assertThatThrownBy(() -> cifar.obtain(Optional.of(folder.resolve("no")), Progress.SILENT))
        .isInstanceOf(DataUnavailableException.class);
    assertNothingStored();
  }

  /** Runs where the data set was obtained before: a build downloads nothing by itself. */
  @Test
  void theRealDataSetIsTheOfficialOne() {
    Cifar10 real = Cifar10.inUserCache();
    assumeTrue(real.available(), "CIFAR-10 is not in " + real.cache());
    ImageSet test = real.load(Split.TEST);
    assertThat(test.count()).isEqualTo(10_000);
    // The first test image is the well-known cat.
    assertThat(Cifar10.CLASS_NAMES.get(test.label(0))).isEqualTo("cat");
    int[] perClass = new int[10];
    for (int label : test.labels()) {
      perClass[label]++;
    }
    assertThat(perClass).containsOnly(1000);

    // The cache folder is itself among the forms that a user may name.
    cifar.obtain(Optional.of(real.cache()), Progress.SILENT);
    assertThat(cifar.available()).isTrue();
    assertThat(cifar.load(Split.TRAIN).count()).isEqualTo(50_000);
  }

  private void assertFailure(Path from, String message) {
    assertThatThrownBy(() -> cifar.obtain(Optional.of(from), Progress.SILENT))
        .isInstanceOf(DataUnavailableException.class)
        .hasMessageContaining(from.toString())
        .hasMessageContaining(message);
  }

  private void assertNothingStored() throws IOException {
    try (Stream<Path> children = Files.list(cache)) {
      assertThat(children).containsExactly(cache.resolve(".lock"));
    }
  }

  private static String authority(HttpServer server) {
    String host = server.getAddress().getAddress().getHostAddress();
    return (host.contains(":") ? "[" + host + "]" : host) + ":" + server.getAddress().getPort();
  }

  private static void sparse(Path file, long bytes) throws IOException {
    try (RandomAccessFile out = new RandomAccessFile(file.toFile(), "rw")) {
      out.setLength(bytes);
    }
  }
}
