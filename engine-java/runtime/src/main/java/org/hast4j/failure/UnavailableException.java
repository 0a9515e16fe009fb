package org.hast4j.failure;

import java.util.Optional;

/** This machine, or this build of the program, lacks what the work needs. */
public final class UnavailableException extends IllegalStateException implements Mendable {
  private static final long serialVersionUID = 1L;

  // Null where there is none.
  private final Remedy remedy;

  public UnavailableException(String message) {
    this(message, (Throwable) null);
  }

  public UnavailableException(String message, Throwable cause) {
    super(message, cause);
    remedy = null;
  }

  public UnavailableException(String message, Remedy remedy) {
    super(message);
    this.remedy = remedy;
  }

  @Override
  public Optional<Remedy> remedy() {
    return Optional.ofNullable(remedy);
  }
}
