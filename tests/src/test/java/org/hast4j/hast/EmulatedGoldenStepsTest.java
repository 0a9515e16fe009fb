package org.hast4j.hast;

import org.hast4j.device.driver.Platform;

/** The golden steps through the CUDA sources, run on the CPU. */
class EmulatedGoldenStepsTest extends GoldenSteps {
  EmulatedGoldenStepsTest() {
    super(Platform.EMULATED);
  }
}
