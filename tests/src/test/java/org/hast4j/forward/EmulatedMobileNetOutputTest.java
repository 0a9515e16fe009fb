package org.hast4j.forward;

import org.hast4j.device.driver.Platform;

/** MobileNets through the CUDA sources, on the CPU. */
class EmulatedMobileNetOutputTest extends MobileNetOutput {
  EmulatedMobileNetOutputTest() {
    super(Platform.EMULATED);
  }
}
