package org.hast4j.hast;

import org.hast4j.device.driver.Platform;

/** The golden steps on the CPU. */
class CpuGoldenStepsTest extends GoldenSteps {
  CpuGoldenStepsTest() {
    super(Platform.CPU);
  }
}
