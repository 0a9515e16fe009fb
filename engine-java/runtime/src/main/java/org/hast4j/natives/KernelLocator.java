package org.hast4j.natives;

import java.net.URL;

/**
 * Provided by each jar that carries a kernel library. On the module path nothing else would resolve
 * such a jar, as no code refers to it; on the class path its resources are found without.
 */
public interface KernelLocator {
  /**
   * Where one of the jar's resources is.
   *
   * @param resource its path in the jar, without a slash in front
   * @return null if it has none of that name
   */
  URL find(String resource);
}
