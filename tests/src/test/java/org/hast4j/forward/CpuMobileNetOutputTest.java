package org.hast4j.forward;

import org.hast4j.device.driver.Platform;

/** MobileNets on the CPU. */
class CpuMobileNetOutputTest extends MobileNetOutput {
  CpuMobileNetOutputTest() {
    super(Platform.CPU);
  }
}
