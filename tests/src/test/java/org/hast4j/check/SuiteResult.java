package org.hast4j.check;

import java.util.List;
import java.util.stream.Collectors;

/** What came of a suite. */
record SuiteResult(
    String suite, int passed, List<Remark> failures, List<Remark> skipped, double seconds) {
  private static final String FRAME = "\tat ";
  private static final int SHOWN_LINES = 20;

  /**
   * A case that did not pass.
   *
   * @param detail why: a stack trace or a sentence
   */
  record Remark(String test, String detail) {
    /** Its message, without where it was thrown. */
    String summary() {
      return detail
          .lines()
          .takeWhile(line -> !line.startsWith(FRAME))
          .filter(line -> !line.isBlank())
          .limit(SHOWN_LINES)
          .collect(Collectors.joining("\n  "));
    }
  }

  SuiteResult {
    failures = List.copyOf(failures);
    skipped = List.copyOf(skipped);
  }

  int cases() {
    return passed + failures.size() + skipped.size();
  }
}
