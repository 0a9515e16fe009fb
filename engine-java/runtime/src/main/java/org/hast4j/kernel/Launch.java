package org.hast4j.kernel;

/** Work for a device with every argument bound. Launching it allocates nothing. */
@FunctionalInterface
public interface Launch {
  /**
   * Launches on a stream.
   *
   * @throws KernelException if the library refuses or fails
   */
  void launch(long stream);
}
