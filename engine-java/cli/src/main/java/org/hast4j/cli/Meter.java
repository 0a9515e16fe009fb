package org.hast4j.cli;

import java.time.Duration;

/** Shows how far a piece of work has come. Cheap enough to be told of every step. */
abstract class Meter implements AutoCloseable {
  private static final long INTERVAL_NANOS = Duration.ofMillis(100).toNanos();

  private final long total;
  private long shown = System.nanoTime();

  /**
   * @param total -1 where nobody knows
   */
  Meter(long total) {
    this.total = total;
  }

  /**
   * What is counted.
   *
   * @param name in the plural
   * @param size how many things told of make one that is shown
   */
  record Unit(String name, long size) {
    static final Unit ITERATIONS = new Unit("iterations", 1);
    static final Unit STEPS = new Unit("steps", 1);
    static final Unit IMAGES = new Unit("images", 1);
    static final Unit MEBIBYTES = new Unit("MiB", 1 << 20);
  }

  /** Hears how much is done. Looks at the clock and, most of the time, does nothing else. */
  final void at(long done) {
    long now = System.nanoTime();
    if (done == total || now - shown >= INTERVAL_NANOS) {
      shown = now;
      show(done);
    }
  }

  abstract void show(long done);

  @Override
  public abstract void close();

  /** A duration as people say it. */
  static String text(Duration duration) {
    long seconds = Math.round(duration.toMillis() / 1000.0);
    if (seconds < 10) {
      return "%.1f s".formatted(duration.toMillis() / 1000.0);
    }
    if (seconds < 60) {
      return seconds + " s";
    }
    return seconds < 3600
        ? "%d min %d s".formatted(seconds / 60, seconds % 60)
        : "%d h %d min".formatted(seconds / 3600, seconds % 3600 / 60);
  }
}
