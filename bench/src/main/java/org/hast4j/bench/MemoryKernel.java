package org.hast4j.bench;

import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.Launch;

/**
 * A kernel bound by memory, with its operands in place.
 *
 * @param bytes that one launch must move: every operand once
 */
public record MemoryKernel(long bytes, Runnable launch) {
  /** A launch on a device's stream. */
  static MemoryKernel of(long bytes, Launch launch, OpenDevice device) {
    long stream = device.stream();
    return new MemoryKernel(bytes, () -> launch.launch(stream));
  }
}
