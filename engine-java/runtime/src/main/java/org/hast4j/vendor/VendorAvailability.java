package org.hast4j.vendor;

/** Whether a library can be used here, and if not, why and what to do. */
public sealed interface VendorAvailability {
  /** It loads; the version is for example {@code 9.24.0}. */
  record Available(String version) implements VendorAvailability {}

  /** It cannot be used; the reason says what to do. */
  record Unavailable(String reason) implements VendorAvailability {}
}
