package org.hast4j.bench.gpu;

/** The time that all measurements have together. */
final class Budget {
  private final long end;

  Budget(double seconds) {
    end = System.nanoTime() + (long) (seconds * 1e9);
  }

  double secondsLeft() {
    return (end - System.nanoTime()) * 1e-9;
  }

  boolean isSpent() {
    return secondsLeft() <= 0;
  }
}
