package org.hast4j.ops;

import java.util.stream.Stream;
import org.hast4j.device.driver.Platform;

/** cuDNN's convolutions on a GPU, against the oracle. */
class CudnnOpParityTest extends GpuOpParity {
  CudnnOpParityTest() {
    super(Platform.CUDNN);
  }

  static Stream<OpCase> cases() {
    return GpuOpParity.cases().filter(GpuOpParity::isSymmetric);
  }

  static Stream<OpCase> pureCases() {
    return GpuOpParity.pureCases().filter(GpuOpParity::isSymmetric);
  }

  static Stream<OpCase> products() {
    return GpuOpParity.products().filter(GpuOpParity::isSymmetric);
  }
}
