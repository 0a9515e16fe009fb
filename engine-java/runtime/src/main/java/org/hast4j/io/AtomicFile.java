package org.hast4j.io;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Replaces files so that a reader, or a crash at any moment, sees either the whole old content or
 * the whole new one.
 *
 * <p>The content goes to a temporary file in the same directory, reaches the disk, and is then
 * renamed over the target. After a failure the temporary file is gone and the target as it was.
 */
public final class AtomicFile {
  private static final int BUFFER_BYTES = 1 << 16;

  private AtomicFile() {}

  /** Writes the new content; it need not flush or close the stream. */
  @FunctionalInterface
  public interface Content {
    void writeTo(OutputStream out) throws IOException;
  }

  /**
   * Replaces or creates a file. A symbolic link stays and the file that it points to is replaced.
   *
   * @throws UncheckedIOException if that fails: the message names the file and what to do
   */
  public static void write(Path target, Content content) {
    try {
      Path file = Files.isSymbolicLink(target) ? target.toRealPath() : target.toAbsolutePath();
      Path directory = file.getParent();
      if (directory == null || Files.isDirectory(file)) {
        throw new FileSystemException(file.toString(), null, "is a directory");
      }
      Path temporary = directory.resolve(temporaryName(file));
      try {
        writeThrough(temporary, content);
        Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(temporary);
      }
      syncDirectory(directory);
    } catch (IOException e) {
      throw new UncheckedIOException(explain(target, e), e);
    }
  }

  /**
   * Replaces or creates a file with the given bytes.
   *
   * @throws UncheckedIOException if that fails: the message names the file and what to do
   */
  public static void write(Path target, byte[] content) {
    write(target, out -> out.write(content));
  }

  private static String temporaryName(Path file) {
    long random = ThreadLocalRandom.current().nextLong();
    return "." + file.getFileName() + "." + Long.toUnsignedString(random, 36) + ".tmp";
  }

  private static void writeThrough(Path temporary, Content content) throws IOException {
    try (FileChannel channel =
        FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), BUFFER_BYTES);
      content.writeTo(out);
      out.flush();
      channel.force(true);
    }
  }

  /** Makes the rename itself last through a power cut. */
  private static void syncDirectory(Path directory) {
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      // Some file systems cannot open or sync a directory. The file is complete under its new name
      // all the same, so there is nothing to undo and nothing the caller could do.
    }
  }

  private static String explain(Path target, IOException e) {
    String problem = "cannot write " + target + ": ";
    Path directory = target.toAbsolutePath().getParent();
    return switch (e) {
      case NoSuchFileException _ ->
          problem + "the directory " + directory + " does not exist; create it first";
      case NotDirectoryException _ -> problem + directory + " is not a directory";
      case AccessDeniedException _ ->
          problem + "no permission to write in " + directory + "; choose another directory";
      case IOException other when isDiskFull(other) ->
          problem + "the disk or quota is full; free some space and run this again";
      case FileSystemException other when other.getReason() != null -> problem + other.getReason();
      case IOException other -> problem + other.getMessage();
    };
  }

  /** Java has no exception of its own for a full disk: only the system's text tells. */
  private static boolean isDiskFull(IOException e) {
    String text = String.valueOf(e.getMessage());
    return text.contains("No space left") || text.contains("quota exceeded");
  }
}
