package org.hast4j.exec;

import org.hast4j.device.driver.Platform;

/** Captures of the emulated device with calls to NVIDIA's libraries in them. */
class StandinCapturedTest extends Captured {
  StandinCapturedTest() {
    super(Platform.STANDIN);
  }
}
