package org.hast4j.natives.cpu.linux_x86_64;

import java.net.URL;
import org.hast4j.natives.KernelLocator;

/** Finds this jar's resources. */
public final class CpuKernels implements KernelLocator {
  /** For the service loader. */
  public CpuKernels() {}

  @Override
  public URL find(String resource) {
    return getClass().getResource("/" + resource);
  }
}
