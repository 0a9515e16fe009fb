package org.hast4j.hast;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import org.hast4j.failure.RefusedException;
import org.hast4j.failure.Remedy;
import org.hast4j.io.AtomicFile;
import org.hast4j.io.CorruptFileException;
import org.hast4j.model.QuantizationPoints;

/**
 * The folder of one run: what it was asked ({@code run.json}, {@code recipe.conf}), what happened
 * ({@code metrics.jsonl}), where it stands ({@code checkpoint.safetensors}), and what came out
 * ({@code synthetic.safetensors}, {@code quantised.safetensors}, {@code result.json}). One process
 * at a time works in it.
 */
public final class RunDirectory implements AutoCloseable {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT);
  private static final ObjectMapper LINES = new ObjectMapper();
  private static final String RUN = "run.json";

  /** The entry of a run's identity that holds the bits of layers with bits of their own. */
  static final String LAYER_BITS = "layer_bits";

  /** The entry of a run's identity that says where activations are quantised. */
  static final String POINTS = "quantization_points";

  /** The entry of a run's identity that holds its rendered recipe. */
  static final String RECIPE = "recipe";

  private final Path folder;
  private final FileChannel lockChannel;
  private final FileLock lock;

  private RunDirectory(Path folder, FileChannel lockChannel, FileLock lock) {
    this.folder = folder;
    this.lockChannel = lockChannel;
    this.lock = lock;
  }

  /**
   * Opens the folder of a run, new or to be resumed. A new one holds no run before {@link #claim}.
   *
   * @throws RefusedException if it holds a run and {@code resume} is false, or the run it holds is
   *     another one
   * @throws UncheckedIOException if it cannot be created or written
   */
  static RunDirectory open(Path folder, Map<String, Object> identity, boolean resume) {
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      // A file or a link to nowhere in its place: the folder itself does not say so.
      String why = e instanceof FileAlreadyExistsException ? "there is something else; " : "";
      throw new UncheckedIOException(
          "cannot create the run folder " + folder + ": " + why + "choose one that is writable", e);
    }
    RunDirectory directory = lock(folder);
    try {
      directory.compare(identity, resume);
      directory.deleteTemporaries();
      return directory;
    } catch (RuntimeException e) {
      directory.close();
      throw e;
    }
  }

  private static RunDirectory lock(Path folder) {
    try {
      FileChannel channel =
          FileChannel.open(
              folder.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      FileLock lock;
      try {
        lock = channel.tryLock();
      } catch (OverlappingFileLockException e) {
        lock = null;
      }
      if (lock == null) {
        channel.close();
        throw new RefusedException(
            "another process works in " + folder + ": wait for it or choose another folder");
      }
      return new RunDirectory(folder, channel, lock);
    } catch (IOException e) {
      throw new UncheckedIOException(
          "cannot write in the run folder " + folder + ": choose one that is writable", e);
    }
  }

  private boolean holdsRun() {
    return Files.exists(folder.resolve(RUN));
  }

  private void compare(Map<String, Object> wanted, boolean resume) {
    if (!holdsRun()) {
      if (Files.exists(checkpoint())) {
        throw new RefusedException(
            "%s holds a checkpoint (%s), but no %s that says of what: choose another folder"
                .formatted(folder, checkpoint().getFileName(), RUN));
      }
      return;
    }
    Map<String, Object> found = readJson(RUN);
    if (!resume) {
      throw new RefusedException(
          folder + " already holds a run: resume it, or choose another folder",
          Remedy.RESUME_OR_OTHER_FOLDER);
    }
    for (Map.Entry<String, Object> entry : wanted.entrySet()) {
      // As text, since JSON does not tell an int from a long.
      String before = String.valueOf(found.getOrDefault(entry.getKey(), missing(entry.getKey())));
      String now = entry.getValue().toString();
      if (!before.equals(now)) {
        throw new RefusedException(
            "the run in %s has another %s (%s) than asked for: choose another folder"
                .formatted(
                    folder,
                    entry.getKey(),
                    entry.getKey().equals(RECIPE)
                        ? Recipe.difference(before, now)
                        : before + ", not " + now));
      }
    }
  }

  /** What held before runs had an entry: no layer had bits of its own, and the paper's points. */
  private static Object missing(String key) {
    return switch (key) {
      case LAYER_BITS -> Map.of();
      case POINTS -> QuantizationPoints.PAPER;
      default -> "nothing";
    };
  }

  /**
   * What a process that was killed while it wrote a file left behind; under the lock nobody writes.
   */
  private void deleteTemporaries() {
    try (DirectoryStream<Path> temporaries = Files.newDirectoryStream(folder, ".*.tmp")) {
      for (Path temporary : temporaries) {
        Files.delete(temporary);
      }
    } catch (DirectoryIteratorException e) {
      throw new UncheckedIOException("cannot read the folder " + folder, e.getCause());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot delete old temporary files in " + folder, e);
    }
  }

  /**
   * Makes a new folder that of a run; does nothing to one that is.
   *
   * @param identity what a resumed run must have in common with this one
   * @param information what else is worth knowing about it
   */
  void claim(Map<String, Object> identity, Map<String, Object> information, String recipe) {
    if (holdsRun()) {
      return;
    }
    Map<String, Object> run = new LinkedHashMap<>(identity);
    run.putAll(information);
    AtomicFile.write(folder.resolve("recipe.conf"), recipe.getBytes(StandardCharsets.UTF_8));
    // Last, since it is what makes the folder a run's.
    writeJson(RUN, run);
  }

  Path checkpoint() {
    return folder.resolve("checkpoint.safetensors");
  }

  /** The synthetic images, once synthesis is done. */
  public Path synthetic() {
    return folder.resolve("synthetic.safetensors");
  }

  /** The quantised network, once the run is done. */
  public Path quantized() {
    return folder.resolve("quantised.safetensors");
  }

  private Path metrics() {
    return folder.resolve("metrics.jsonl");
  }

  /** Appends a line to the metrics. */
  void append(Map<String, Object> line) {
    try {
      Files.writeString(
          metrics(),
          LINES.writeValueAsString(line) + "\n",
          StandardOpenOption.CREATE,
          StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + metrics() + ": is the disk full?", e);
    }
  }

  /**
   * Length of the metrics after making sure that they are on the disk: a snapshot relies on them.
   */
  long forcedMetricsBytes() {
    if (!Files.exists(metrics())) {
      return 0;
    }
    try (FileChannel channel = FileChannel.open(metrics(), StandardOpenOption.WRITE)) {
      channel.force(true);
      return channel.size();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + metrics() + ": is the disk full?", e);
    }
  }

  /**
   * Drops what was written after a snapshot, so that a resumed run writes it again and only once.
   *
   * @throws CorruptFileException if something written before it is missing
   */
  void truncateMetrics(long bytes) {
    if (bytes == 0 && !Files.exists(metrics())) {
      return;
    }
    try (FileChannel channel =
        FileChannel.open(metrics(), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      if (channel.size() < bytes) {
        throw new CorruptFileException(
            metrics(),
            "it has %d bytes, the checkpoint was written after %d: start again in another folder"
                .formatted(channel.size(), bytes));
      }
      channel.truncate(bytes);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot shorten " + metrics(), e);
    }
  }

  void writeJson(String name, Map<String, Object> values) {
    try {
      AtomicFile.write(folder.resolve(name), JSON.writeValueAsBytes(values));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  Map<String, Object> readJson(String name) {
    Path file = folder.resolve(name);
    try {
      Map<String, Object> values = JSON.readValue(file.toFile(), new TypeReference<>() {});
      if (values == null) {
        throw new IOException("it holds null");
      }
      return values;
    } catch (IOException e) {
      throw new CorruptFileException(
          file, "it is not readable JSON: start again in another folder", e);
    }
  }

  @Override
  public void close() {
    try {
      lock.release();
      lockChannel.close();
    } catch (IOException e) {
      throw new UncheckedIOException("cannot unlock " + folder, e);
    }
  }
}
