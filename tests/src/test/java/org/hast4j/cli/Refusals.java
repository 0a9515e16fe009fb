package org.hast4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

/** What a failure looks like: exit code 1 and one message that names the thing. */
final class Refusals {
  private Refusals() {}

  static void check(HastProcess.Outcome outcome, String... named) {
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(1);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err()).contains("hast: ").contains(named);
    assertThat(outcome.err()).doesNotContain("\tat ", "Exception");
  }
}
