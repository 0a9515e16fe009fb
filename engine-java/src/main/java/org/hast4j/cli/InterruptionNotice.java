package org.hast4j.cli;

/** While open, tells a user who stops the program how to go on. */
final class InterruptionNotice implements AutoCloseable {
  private final Thread hook;

  InterruptionNotice(Reporter reporter, String text) {
    hook = new Thread(() -> reporter.note("\n" + text));
    Runtime.getRuntime().addShutdownHook(hook);
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The program is being stopped: the notice is due.
    }
  }
}
