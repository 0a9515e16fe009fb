package org.hast4j.device.driver;

/** How a program's kernels are launched. The results are the same bits. */
public enum Launching {
  /** As one captured graph, on a backend that captures; elsewhere as {@link #SINGLE}. */
  CAPTURED,
  /** One by one. */
  SINGLE,
  /**
   * One by one, each waited for. A kernel that fails on a GPU does so after its launch has
   * succeeded, and some later call has the error: only here it is the operation's that failed.
   */
  AWAITED
}
