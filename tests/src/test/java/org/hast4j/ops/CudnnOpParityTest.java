package org.hast4j.ops;

import org.hast4j.device.Platform;

/** cuDNN's convolutions on a GPU, against the oracle. */
class CudnnOpParityTest extends GpuOpParity {
  CudnnOpParityTest() {
    super(Platform.CUDNN);
  }
}
