package org.hast4j.failure;

/**
 * Something given cannot be used: a value out of its bounds, a network of no known kind, a folder
 * that holds another run. Parsers turn it into a complaint about their file.
 */
public final class RefusedException extends IllegalArgumentException implements Mendable {
  private static final long serialVersionUID = 1L;

  public RefusedException(String message) {
    super(message);
  }

  public RefusedException(String message, Throwable cause) {
    super(message, cause);
  }
}
