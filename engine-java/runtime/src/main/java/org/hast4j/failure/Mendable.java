package org.hast4j.failure;

import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * A failure that whoever runs the program can mend: another file, another value, another machine.
 * Its message says what is wrong and what to do, and is enough. Every exception of another kind is
 * a defect of the program, whatever its message says.
 */
public interface Mendable {
  /** Whether this one is: where one class tells of many failures, not all of them are. */
  default boolean isMendable() {
    return true;
  }

  /**
   * Whether a failure can be mended by whoever runs the program: a {@link Mendable}, one of input
   * or output, or a heap that is too small.
   */
  static boolean is(Throwable failure) {
    return switch (failure) {
      case Mendable mendable -> mendable.isMendable();
      case IOException _, UncheckedIOException _, OutOfMemoryError _ -> true;
      case Throwable _ -> false;
    };
  }
}
