package org.hast4j.failure;

import java.util.Optional;

/**
 * Something given cannot be used: a value out of its bounds, a network of no known kind, a folder
 * that holds another run. Parsers turn it into a complaint about their file.
 */
public final class RefusedException extends IllegalArgumentException implements Mendable {
  private static final long serialVersionUID = 1L;

  // Null where there is none.
  private final Remedy remedy;

  public RefusedException(String message) {
    this(message, (Throwable) null);
  }

  public RefusedException(String message, Throwable cause) {
    super(message, cause);
    remedy = null;
  }

  public RefusedException(String message, Remedy remedy) {
    super(message);
    this.remedy = remedy;
  }

  @Override
  public Optional<Remedy> remedy() {
    return Optional.ofNullable(remedy);
  }
}
