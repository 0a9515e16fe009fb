package org.hast4j.exec;

import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.Kernels;
import org.hast4j.vendor.VendorException;

/** One kernel launch with every argument bound. Launching allocates nothing. */
@FunctionalInterface
interface KernelCall {
  void launch(Kernels kernels, long stream);

  /** This and the wait for its end. */
  default KernelCall awaited() {
    return (kernels, stream) -> {
      launch(kernels, stream);
      kernels.streamSynchronize(stream);
    };
  }

  /**
   * Launches for an operation.
   *
   * @throws KernelException naming the operation, if its kernel fails
   * @throws VendorException naming the operation, if another library that computes it fails
   */
  default void launch(Kernels kernels, long stream, String operation) {
    try {
      launch(kernels, stream);
    } catch (KernelException e) {
      throw e.at(operation);
    } catch (VendorException e) {
      throw e.at(operation);
    }
  }
}
