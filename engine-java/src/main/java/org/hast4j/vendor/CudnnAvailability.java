package org.hast4j.vendor;

/** Whether cuDNN can be used here, and if not, why and what to do. */
public sealed interface CudnnAvailability {
  /** It loads; the version is for example {@code 9.24.0}. */
  record Available(String version) implements CudnnAvailability {}

  /** It cannot be used; the reason says what to do. */
  record Unavailable(String reason) implements CudnnAvailability {}
}
