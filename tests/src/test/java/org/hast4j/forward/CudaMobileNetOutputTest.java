package org.hast4j.forward;

import org.hast4j.device.driver.Platform;

/** MobileNets on a GPU. */
class CudaMobileNetOutputTest extends MobileNetOutput {
  CudaMobileNetOutputTest() {
    super(Platform.CUDA);
  }
}
