package org.hast4j.hast;

import org.hast4j.device.driver.Platform;

/** The golden steps on a GPU. */
class CudaGoldenStepsTest extends GoldenSteps {
  CudaGoldenStepsTest() {
    super(Platform.CUDA);
  }
}
