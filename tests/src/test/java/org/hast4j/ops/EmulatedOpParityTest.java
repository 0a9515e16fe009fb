package org.hast4j.ops;

import org.hast4j.device.driver.Platform;

/** The CUDA sources, run on the CPU, against the oracle. */
class EmulatedOpParityTest extends GpuOpParity {
  EmulatedOpParityTest() {
    super(Platform.EMULATED);
  }
}
