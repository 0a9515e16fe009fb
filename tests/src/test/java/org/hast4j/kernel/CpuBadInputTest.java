package org.hast4j.kernel;

import org.hast4j.device.Platform;
import org.junit.jupiter.api.Test;

/** Spoilt arguments on the CPU. */
class CpuBadInputTest extends BadInput {
  CpuBadInputTest() {
    super(Platform.CPU);
  }

  @Test
  void aStreamNeedsAtLeastOneThread() {
    refused(() -> kernels.streamCreate(0, 0, false), "hast_stream_create");
    refused(() -> kernels.streamCreate(0, -3, false), "hast_stream_create");
  }
}
