package org.hast4j.exec;

import org.hast4j.device.driver.Platform;

/** Captures on a GPU with cuDNN's convolutions in them. */
class CudnnCapturedTest extends Captured {
  CudnnCapturedTest() {
    super(Platform.CUDNN);
  }
}
