package org.hast4j.device;

import org.hast4j.device.driver.OpenDevice;
import org.hast4j.failure.UnavailableException;
import org.hast4j.kernel.Backend;

/**
 * A processor that networks run on, from {@link #cpu()} or {@link #cuda()}. It belongs to the
 * thread that opened it. Closing it gives everything on it back.
 */
public interface Device extends AutoCloseable {
  /** The CPU, with as many threads as it has processors for this program. */
  static Device cpu() {
    return cpu(OpenDevice.Options.threadsOfAllProcessors());
  }

  /**
   * The CPU with so many threads; no result depends on their number.
   *
   * @throws IllegalArgumentException if it is below 1 or above 1024
   */
  static Device cpu(int threads) {
    return OpenDevice.open(Backend.CPU, threads);
  }

  /**
   * The first GPU.
   *
   * @throws UnavailableException if there is none, or it cannot be used: it says why
   */
  static Device cuda() {
    return cuda(0);
  }

  /**
   * A GPU.
   *
   * @param ordinal its number, from 0
   * @throws UnavailableException if there is none of that number, or it cannot be used
   */
  static Device cuda(int ordinal) {
    return OpenDevice.open(Backend.CUDA, ordinal, OpenDevice.Options.threads(1));
  }

  /** The device in one line for people. */
  String description();

  @Override
  void close();
}
