package org.hast4j.io;

import java.nio.file.Path;
import org.hast4j.failure.Mendable;

/** A file whose content contradicts itself, its format or its checksum. */
public final class CorruptFileException extends RuntimeException implements Mendable {
  private static final long serialVersionUID = 1L;

  private final transient Path file;

  /**
   * @param file the file, which opens the message
   * @param problem what is wrong, with the numbers that show it
   */
  public CorruptFileException(Path file, String problem) {
    this(file, problem, null);
  }

  public CorruptFileException(Path file, String problem, Throwable cause) {
    super(file + ": " + problem, cause);
    this.file = file;
  }

  public Path file() {
    return file;
  }
}
