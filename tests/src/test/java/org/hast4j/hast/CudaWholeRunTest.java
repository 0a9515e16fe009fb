package org.hast4j.hast;

import org.hast4j.device.driver.Platform;

/** Runs on a GPU. */
class CudaWholeRunTest extends WholeRun {
  CudaWholeRunTest() {
    super(Platform.CUDA);
  }
}
