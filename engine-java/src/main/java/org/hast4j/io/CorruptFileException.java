package org.hast4j.io;

import java.nio.file.Path;

/** A file whose content contradicts itself, its format or its checksum. */
public final class CorruptFileException extends RuntimeException {
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
