package org.hast4j.io;

import java.nio.file.Path;
import java.util.Optional;
import org.hast4j.failure.Mendable;
import org.hast4j.failure.Remedy;

/** A file whose content contradicts itself, its format or its checksum. */
public final class CorruptFileException extends RuntimeException implements Mendable {
  private static final long serialVersionUID = 1L;

  private final transient Path file;
  // Null where there is none.
  private final Remedy remedy;

  /**
   * @param file the file, which opens the message
   * @param problem what is wrong, with the numbers that show it
   */
  public CorruptFileException(Path file, String problem) {
    this(file, problem, null, null);
  }

  public CorruptFileException(Path file, String problem, Throwable cause) {
    this(file, problem, cause, null);
  }

  public CorruptFileException(Path file, String problem, Remedy remedy) {
    this(file, problem, null, remedy);
  }

  private CorruptFileException(Path file, String problem, Throwable cause, Remedy remedy) {
    super(file + ": " + problem, cause);
    this.file = file;
    this.remedy = remedy;
  }

  public Path file() {
    return file;
  }

  @Override
  public Optional<Remedy> remedy() {
    return Optional.ofNullable(remedy);
  }
}
