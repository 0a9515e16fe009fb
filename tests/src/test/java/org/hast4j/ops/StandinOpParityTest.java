package org.hast4j.ops;

import java.util.stream.Stream;
import org.hast4j.device.driver.Platform;
import org.hast4j.oracle.Tensor;

/**
 * The calls to NVIDIA's libraries, to others that stand in for them, against the oracle: the cases
 * that these compute. Those of many values are there for the tiles of own kernels.
 */
class StandinOpParityTest extends GpuOpParity {
  private static final long MOST_VALUES = 10_000;

  StandinOpParityTest() {
    super(Platform.STANDIN);
  }

  static Stream<OpCase> products() {
    return GpuOpParity.products()
        .filter(GpuOpParity::isSymmetric)
        .filter(test -> test.inputs().stream().mapToLong(Tensor::count).sum() <= MOST_VALUES);
  }

  static Stream<OpCase> cases() {
    return products();
  }

  static Stream<OpCase> pureCases() {
    return products();
  }
}
