package org.hast4j.cifar;

import org.hast4j.failure.Mendable;

/** Data that could not be obtained: the message says what was tried and what the user can do. */
public final class DataUnavailableException extends RuntimeException implements Mendable {
  private static final long serialVersionUID = 1L;

  public DataUnavailableException(String message) {
    super(message);
  }

  public DataUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
