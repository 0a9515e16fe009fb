package org.hast4j.exec;

import org.hast4j.device.driver.Platform;

/** Captures of the emulated device. */
class EmulatedCapturedTest extends Captured {
  EmulatedCapturedTest() {
    super(Platform.EMULATED);
  }
}
