package org.hast4j.hast;

/** A run that stopped because its listener asked for it; a checkpoint has been written. */
public final class StoppedException extends RuntimeException {
  private static final long serialVersionUID = 1;

  StoppedException() {
    super("stopped as asked for; a checkpoint was written");
  }
}
