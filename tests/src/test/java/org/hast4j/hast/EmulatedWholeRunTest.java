package org.hast4j.hast;

import org.hast4j.device.driver.Platform;

/** Runs through the CUDA sources, on the CPU. */
class EmulatedWholeRunTest extends WholeRun {
  EmulatedWholeRunTest() {
    super(Platform.EMULATED);
  }
}
