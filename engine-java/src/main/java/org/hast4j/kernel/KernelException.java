package org.hast4j.kernel;

/** A kernel library refused or failed a call. */
public final class KernelException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String function;
  private final int status;
  private final boolean outOfMemory;

  KernelException(String function, int status, String text, boolean outOfMemory) {
    super("%s: %s (status %d)".formatted(function, text, status));
    this.function = function;
    this.status = status;
    this.outOfMemory = outOfMemory;
  }

  /** The same failure with the place in the program where it happened. */
  private KernelException(KernelException cause, String place) {
    super(cause.getMessage() + " at " + place, cause);
    this.function = cause.function;
    this.status = cause.status;
    this.outOfMemory = cause.outOfMemory;
  }

  public KernelException at(String place) {
    return new KernelException(this, place);
  }

  /** The C symbol. */
  public String function() {
    return function;
  }

  public int status() {
    return status;
  }

  /** Whether the device had too little free memory. */
  public boolean isOutOfMemory() {
    return outOfMemory;
  }
}
