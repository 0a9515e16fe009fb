package org.hast4j.failure;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Stream;

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

  /** A way out of it, where there is one that programs may know more of. */
  default Optional<Remedy> remedy() {
    return Optional.empty();
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

  /** The remedy of a failure, or the first among those that brought it about. */
  static Optional<Remedy> remedyOf(Throwable failure) {
    Stream<Optional<Remedy>> own =
        failure instanceof Mendable mendable ? Stream.of(mendable.remedy()) : Stream.empty();
    Stream<Optional<Remedy>> others =
        Stream.concat(Stream.ofNullable(failure.getCause()), Arrays.stream(failure.getSuppressed()))
            .map(Mendable::remedyOf);
    return Stream.concat(own, others).flatMap(Optional::stream).findFirst();
  }
}
