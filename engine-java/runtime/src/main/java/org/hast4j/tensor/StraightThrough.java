package org.hast4j.tensor;

/** Where the gradient passes straight through an activation quantiser. */
public enum StraightThrough {
  /** Everywhere, also where the quantiser clamps (the released code). */
  EVERYWHERE,
  /**
   * Where the quantiser does not clamp: a value beyond the range has no influence, and a gradient
   * that says so does not push it out further.
   */
  IN_RANGE
}
