package org.hast4j.kernel;

import org.hast4j.device.driver.Platform;

/** Spoilt arguments on a GPU. */
class CudaBadInputTest extends BadInput {
  CudaBadInputTest() {
    super(Platform.CUDA);
  }
}
