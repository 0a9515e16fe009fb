package org.hast4j.natives.cuda.linux_x86_64;

import java.net.URL;
import org.hast4j.natives.KernelLocator;

/** Finds this jar's resources. */
public final class CudaKernels implements KernelLocator {
  /** For the service loader. */
  public CudaKernels() {}

  @Override
  public URL find(String resource) {
    return getClass().getResource("/" + resource);
  }
}
