package org.hast4j.cifar;

/**
 * Hears how far a long piece of work has come; called on the working thread, at most per megabyte.
 */
@FunctionalInterface
public interface Progress {
  /** Hears and says nothing. */
  Progress SILENT = (_, _, _) -> {};

  /**
   * @param done bytes done so far
   * @param total bytes in all, or -1 where nobody knows
   * @param what the work, fit to stand before a progress bar
   */
  void report(long done, long total, String what);
}
