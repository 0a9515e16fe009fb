package org.hast4j.kernel;

/** Failures of kernels that no sound kernel shows. */
public final class KernelFailure {
  private KernelFailure() {}

  /** What a function's status becomes. */
  public static KernelException of(String function, int status) {
    return new KernelException(
        function, status, "%s: a failure (status %d)".formatted(function, status));
  }
}
