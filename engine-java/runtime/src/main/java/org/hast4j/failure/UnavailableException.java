package org.hast4j.failure;

/** This machine, or this build of the program, lacks what the work needs. */
public final class UnavailableException extends IllegalStateException implements Mendable {
  private static final long serialVersionUID = 1L;

  public UnavailableException(String message) {
    super(message);
  }

  public UnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
