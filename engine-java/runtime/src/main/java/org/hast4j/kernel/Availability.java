package org.hast4j.kernel;

import java.util.List;

/** Whether a backend can be used here, and if not, why and what to do. */
public sealed interface Availability {
  /**
   * The backend loads and has a device that can be used.
   *
   * @param devices all of them in the order of their numbers, which begin at 0; one that cannot be
   *     used says why
   */
  record Available(List<String> devices) implements Availability {}

  /** The backend cannot be used; each reason says what to do. */
  record Unavailable(List<String> reasons) implements Availability {}
}
