package org.hast4j.ops;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.graph.Op;
import org.hast4j.graph.TensorType;
import org.hast4j.oracle.Oracle;
import org.hast4j.oracle.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every case of {@link OpCases} on one platform against the oracle. A platform's suite names itself
 * and inherits.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class OpParity {
  // What a handful of single-precision roundings move a value by before a step function is applied
  // to it.
  private static final double STEP_SHIFT = 1e-6;

  @RegisterExtension final Devices devices;

  OpParity(Platform platform) {
    devices = new Devices(platform);
  }

  static Stream<OpCase> cases() {
    return OpCases.all().stream();
  }

  static Stream<OpCase> pureCases() {
    return cases().filter(test -> !test.op().effect());
  }

  @Test
  void everyOperationHasACase() {
    Set<Class<?>> covered = new HashSet<>(Set.of(Op.Variable.class, Op.Reshape.class));
    cases().forEach(test -> covered.add(test.op().getClass()));
    assertThat(covered).containsExactlyInAnyOrderElementsOf(OpCases.operations());
  }

  @ParameterizedTest
  @MethodSource("cases")
  void agreesWithTheOracle(OpCase test) {
    List<byte[]> results = new OpRun(devices.open(2), test, false).run();
    List<Oracle.Bounds> expected = Oracle.bounds(test.op(), test.inputs(), STEP_SHIFT);
    for (int i = 0; i < results.size(); i++) {
      if (test.wants(i)) {
        TensorType type = test.results().get(i);
        check("result " + i, OpRun.tensor(results.get(i), type), expected.get(i), test);
      }
    }
  }

  /** Overwriting an input that nobody needs any more is an optimisation: not one bit may change. */
  @ParameterizedTest
  @MethodSource("pureCases")
  void doesNotDependOnWhereOutputsLie(OpCase test) {
    List<byte[]> apart = new OpRun(devices.open(2), test, false).run();
    List<byte[]> inPlace = new OpRun(devices.open(2), test, true).run();
    for (int i = 0; i < apart.size(); i++) {
      assertThat(inPlace.get(i)).as("result %d", i).isEqualTo(apart.get(i));
    }
  }

  static void check(String what, Tensor actual, Oracle.Bounds expected, OpCase test) {
    double[] low = expected.low().values();
    double[] high = expected.high().values();
    for (int i = 0; i < actual.count(); i++) {
      double value = actual.values()[i];
      double bottom = Math.min(low[i], high[i]);
      double top = Math.max(low[i], high[i]);
      if (Double.isNaN(bottom) || Double.isInfinite(bottom)) {
        assertThat((Object) value).as("%s[%d] of %s", what, i, test).isEqualTo(bottom);
      } else if (Oracle.exact(test.op())) {
        assertThat(Float.floatToRawIntBits((float) value))
            .as("%s[%d] of %s: %s, expected %s", what, i, test, value, bottom)
            .isEqualTo(Float.floatToRawIntBits((float) bottom));
      } else {
        double slack = Oracle.integer(actual.type()) ? 0 : test.tolerance();
        // Written so that a NaN fails.
        boolean close =
            value >= bottom - slack * (1 + Math.abs(bottom))
                && value <= top + slack * (1 + Math.abs(top));
        if (!close) {
          throw new AssertionError(
              "%s[%d] of %s is %s, expected %s to %s within %s"
                  .formatted(what, i, test, value, bottom, top, slack));
        }
      }
    }
  }
}
