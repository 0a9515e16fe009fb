package org.hast4j.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Suites in processes of their own, with every end a suite can come to. */
class CheckTest {
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private static SuiteResult run(Class<?> suite) {
    return SuiteProcess.run("suite", suite, List.of(), LIMIT);
  }

  // Nested, so that the build does not run them as suites of its own.
  static class Mixed {
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void isTwo(int number) {
      assertThat(number).isEqualTo(2);
    }

    @Test
    void isLeftOut() {
      assumeTrue(false, "no reason");
    }
  }

  @Test
  void everyCaseIsCounted() {
    SuiteResult result = run(Mixed.class);
    assertThat(result.cases()).isEqualTo(4);
    assertThat(result.passed()).isEqualTo(1);
    assertThat(result.failures())
        .extracting(SuiteResult.Remark::test)
        .containsExactlyInAnyOrder("isTwo(int) [1] number=1", "isTwo(int) [3] number=3");
    assertThat(result.skipped())
        .singleElement()
        .satisfies(remark -> assertThat(remark.summary()).contains("no reason"));
  }

  static class Leaking {
    @Test
    void passes() {}

    @AfterAll
    static void leaves() {
      throw new IllegalStateException("memory still in use");
    }
  }

  @Test
  void whatFailsAfterTheCasesFailsTheSuite() {
    SuiteResult result = run(Leaking.class);
    assertThat(result.passed()).isEqualTo(1);
    assertThat(result.failures())
        .singleElement()
        .satisfies(remark -> assertThat(remark.summary()).contains("memory still in use"));
  }

  static class Crashing {
    @Test
    void crashes() {
      Runtime.getRuntime().halt(7);
    }
  }

  @Test
  void aCrashIsAFailureOfTheCaseThatRan() {
    SuiteResult result = run(Crashing.class);
    assertThat(result.passed()).isZero();
    assertThat(result.failures())
        .singleElement()
        .isEqualTo(new SuiteResult.Remark("crashes()", "the process ended with status 7"));
  }
}
