package org.hast4j.io;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.hast4j.failure.Mendable;

/** A file that cannot be read, for the reason that the message gives after the file. */
public final class UnreadableFileException extends UncheckedIOException implements Mendable {
  private static final long serialVersionUID = 1L;

  /**
   * @param file the file, which the message names
   * @param cause what reading it came to
   */
  public UnreadableFileException(Path file, IOException cause) {
    super("cannot read " + file + ": " + reason(file, cause), cause);
  }

  private static String reason(Path file, IOException cause) {
    return switch (cause) {
      case NoSuchFileException _ -> "there is no such file";
      case AccessDeniedException _ -> "no permission";
      // What the system says then depends on how the folder was about to be read.
      case IOException _ when Files.isDirectory(file) -> "it is not a file";
      case FileSystemException e when e.getReason() != null -> e.getReason();
      case IOException e -> String.valueOf(e.getMessage());
    };
  }
}
