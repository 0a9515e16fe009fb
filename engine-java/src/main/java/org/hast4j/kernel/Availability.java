package org.hast4j.kernel;

import java.util.List;

/** Whether a backend can be used here, and if not, why and what to do. */
public sealed interface Availability {
  /** The backend loads and has at least one device. */
  record Available(List<String> devices) implements Availability {}

  /** The backend cannot be used; each reason says what to do. */
  record Unavailable(List<String> reasons) implements Availability {}
}
