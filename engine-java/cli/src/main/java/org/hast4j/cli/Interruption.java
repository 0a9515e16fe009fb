package org.hast4j.cli;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * While open, gives work that a signal ends a few seconds to write where it stands, and tells the
 * user how to go on.
 */
final class Interruption implements AutoCloseable {
  private static final long PATIENCE_SECONDS = 5;

  private final CountDownLatch ended = new CountDownLatch(1);
  private final Thread hook;
  private volatile boolean asked;

  /**
   * @param patient whether the work looks at {@link #asked} and ends by itself; if not, the program
   *     ends at once
   * @param text what the user reads
   */
  Interruption(Reporter reporter, boolean patient, String text) {
    hook =
        new Thread(
            () -> {
              asked = true;
              String state =
                  patient && !endsInTime() ? " (what came after the last checkpoint is lost)" : "";
              reporter.note("\n" + text + state);
            });
    Runtime.getRuntime().addShutdownHook(hook);
  }

  /** Whether the work should end. */
  boolean asked() {
    return asked;
  }

  private boolean endsInTime() {
    try {
      return ended.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  @Override
  public void close() {
    ended.countDown();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The program is being stopped: the notice is due.
    }
  }
}
