package org.hast4j.kernel;

import org.hast4j.device.driver.Platform;

/** Spoilt arguments to the CUDA sources, run on the CPU. */
class EmulatedBadInputTest extends BadInput {
  EmulatedBadInputTest() {
    super(Platform.EMULATED);
  }
}
