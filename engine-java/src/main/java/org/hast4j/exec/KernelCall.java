package org.hast4j.exec;

import org.hast4j.kernel.Kernels;

/** One kernel launch with every argument bound. Launching allocates nothing. */
@FunctionalInterface
interface KernelCall {
  void launch(Kernels kernels, long stream);
}
