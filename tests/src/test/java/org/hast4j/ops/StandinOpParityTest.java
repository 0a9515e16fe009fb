package org.hast4j.ops;

import java.util.stream.Stream;
import org.hast4j.device.Platform;

/** The calls to NVIDIA's libraries, to others that stand in for them, against the oracle. */
class StandinOpParityTest extends GpuOpParity {
  StandinOpParityTest() {
    super(Platform.STANDIN);
  }

  /** What no library of NVIDIA's computes runs on the emulated device elsewhere. */
  static Stream<OpCase> cases() {
    return products();
  }

  static Stream<OpCase> pureCases() {
    return products();
  }
}
