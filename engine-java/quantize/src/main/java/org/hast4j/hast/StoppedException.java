package org.hast4j.hast;

import org.hast4j.failure.Mendable;

/** A run that stopped because its listener asked for it; a checkpoint has been written. */
public final class StoppedException extends RuntimeException implements Mendable {
  private static final long serialVersionUID = 1;

  StoppedException() {
    super("stopped as asked for; a checkpoint was written");
  }
}
