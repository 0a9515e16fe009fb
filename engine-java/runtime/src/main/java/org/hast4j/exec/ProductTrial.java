package org.hast4j.exec;

import java.util.List;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.Product;

/** Room to run the methods for one product. */
interface ProductTrial extends AutoCloseable {
  /**
   * Runs a method once wherever a program may, so that whatever it loads when first used is there.
   *
   * @throws RuntimeException if the method fails
   * @throws KernelException a fatal one, if it cost the process the device
   */
  void run(Algorithm algorithm);

  /**
   * Times a method, after a {@link #run}.
   *
   * @return the milliseconds of one run
   * @throws RuntimeException if the method fails
   * @throws KernelException a fatal one, if it cost the process the device
   */
  double milliseconds(Algorithm algorithm);

  @Override
  void close();

  /** Makes room. */
  @FunctionalInterface
  interface Opener {
    ProductTrial open(Product product, List<Algorithm> algorithms);
  }
}
