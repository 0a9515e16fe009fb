package org.hast4j.ops;

import org.hast4j.device.Platform;

/** The CUDA kernels on a GPU, against the oracle. */
class CudaOpParityTest extends OpParity {
  CudaOpParityTest() {
    super(Platform.CUDA);
  }
}
