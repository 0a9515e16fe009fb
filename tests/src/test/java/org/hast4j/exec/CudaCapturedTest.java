package org.hast4j.exec;

import org.hast4j.device.driver.Platform;

/** Captures on a GPU. */
class CudaCapturedTest extends Captured {
  CudaCapturedTest() {
    super(Platform.CUDA);
  }
}
