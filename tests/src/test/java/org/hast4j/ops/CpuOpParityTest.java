package org.hast4j.ops;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.hast4j.device.driver.Platform;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The CPU kernels against the oracle. */
class CpuOpParityTest extends OpParity {
  CpuOpParityTest() {
    super(Platform.CPU);
  }

  @ParameterizedTest
  @MethodSource("cases")
  void doesNotDependOnTheNumberOfThreads(OpCase test) {
    List<byte[]> two = new OpRun(devices.open(2), test, false).run();
    for (int threads : new int[] {1, 3}) {
      List<byte[]> other = new OpRun(devices.open(threads), test, false).run();
      for (int i = 0; i < two.size(); i++) {
        assertThat(other.get(i)).as("result %d with %d threads", i, threads).isEqualTo(two.get(i));
      }
    }
  }
}
