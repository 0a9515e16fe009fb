package org.hast4j.nn;

import org.hast4j.device.Platform;

/** MobileNets on the CPU. */
class CpuMobileNetOutputTest extends MobileNetOutput {
  CpuMobileNetOutputTest() {
    super(Platform.CPU);
  }
}
