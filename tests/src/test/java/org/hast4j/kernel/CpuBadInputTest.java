package org.hast4j.kernel;

import org.hast4j.device.driver.Platform;
import org.hast4j.kernel.abi.StreamCreate;
import org.junit.jupiter.api.Test;

/** Spoilt arguments on the CPU. */
class CpuBadInputTest extends BadInput {
  CpuBadInputTest() {
    super(Platform.CPU);
  }

  @Test
  void aStreamNeedsAtLeastOneThread() {
    refused(
        () -> new StreamCreate(library).ordinal(0).threads(0).pin(0).call(), "hast_stream_create");
    refused(
        () -> new StreamCreate(library).ordinal(0).threads(-3).pin(0).call(), "hast_stream_create");
  }
}
