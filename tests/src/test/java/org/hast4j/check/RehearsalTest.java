package org.hast4j.check;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.Stream;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Disabled;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIf;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every suite is complete, those that only run on another machine among them. */
class RehearsalTest {
  @Test
  void everySuiteFindsWhatItNames() {
    Rehearsal.Outcome all = Rehearsal.of(Check.suites(""));
    assertThat(all.remarks()).extracting(RehearsalTest::text).isEmpty();
    // Of the operations alone there are more.
    assertThat(all.cases()).isGreaterThan(5000);
  }

  // Nested, so that the build does not run them as suites of its own.
  abstract static class OnAGpu {
    @RegisterExtension final Devices devices = new Devices(Platform.CUDA);

    static Stream<Integer> numbers() {
      return Stream.of(1, 2, 3);
    }

    @BeforeAll
    static void opens() {
      throw new AssertionError("ran");
    }

    @ParameterizedTest
    @MethodSource("numbers")
    void isNotRun(int number) {
      throw new AssertionError("ran with " + number);
    }
  }

  static class Complete extends OnAGpu {
    @Test
    void isNotRunEither() {
      throw new AssertionError("ran");
    }
  }

  @Test
  void bodiesAreNotRunAndNothingIsLeftOut() {
    assertThat(Rehearsal.of(List.of(Complete.class)))
        .isEqualTo(new Rehearsal.Outcome(4, List.of()));
  }

  static class NamesNoFactory extends OnAGpu {
    @ParameterizedTest
    @MethodSource("figures")
    void lacksArguments(int number) {
      throw new AssertionError("ran with " + number);
    }
  }

  static class NamesAFactoryOfOtherArguments extends OnAGpu {
    static Stream<String> words() {
      return Stream.of("one");
    }

    @ParameterizedTest
    @MethodSource("words")
    void takesANumber(int number) {
      throw new AssertionError("ran with " + number);
    }
  }

  static class NamesNoCondition extends OnAGpu {
    @Test
    @EnabledIf("isSunday")
    void mayRun() {}
  }

  static class HidesItsNames extends OnAGpu {
    @Disabled("for now")
    @ParameterizedTest
    @MethodSource("figures")
    void lacksArguments(int number) {
      throw new AssertionError("ran with " + number);
    }
  }

  @ParameterizedTest
  @MethodSource("incomplete")
  void whatIsMissingIsNamed(Class<?> suite, String named) {
    Rehearsal.Outcome outcome = Rehearsal.of(List.of(suite));
    assertThat(outcome.remarks())
        .singleElement()
        .extracting(RehearsalTest::text)
        .asString()
        .contains(suite.getSimpleName(), named);
  }

  static Stream<Arguments> incomplete() {
    return Stream.of(
        Arguments.of(NamesNoFactory.class, "[figures]"),
        Arguments.of(NamesAFactoryOfOtherArguments.class, "\"one\""),
        Arguments.of(NamesNoCondition.class, "isSunday"),
        Arguments.of(HidesItsNames.class, "for now"));
  }

  private static String text(SuiteResult.Remark remark) {
    return remark.test() + ": " + remark.summary();
  }
}
