package org.hast4j.check;

/**
 * What a process that runs a suite says of a case, one JSON object a line.
 *
 * @param test the case, its suite aside
 * @param detail the stack trace of a failure or the reason of a skip, else empty
 */
record SuiteEvent(Kind kind, String test, String detail) {
  /** How every such line begins, and no other does. */
  static final String MARK = "@suite ";

  enum Kind {
    STARTED,
    PASSED,
    FAILED,
    SKIPPED
  }
}
