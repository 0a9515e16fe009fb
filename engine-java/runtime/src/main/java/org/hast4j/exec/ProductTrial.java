package org.hast4j.exec;

import java.util.List;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.Product;
import org.hast4j.kernel.ProductMethod;

/** Room to run the methods for one product. */
interface ProductTrial extends AutoCloseable {
  /**
   * Runs a method once wherever a program may, so that whatever it loads when first used is there.
   *
   * @throws RuntimeException if the method fails
   * @throws KernelException a fatal one, if it cost the process the device
   */
  void run(ProductMethod method);

  /**
   * Times a method, after a {@link #run}.
   *
   * @return the milliseconds of one run
   * @throws RuntimeException if the method fails
   * @throws KernelException a fatal one, if it cost the process the device
   */
  double milliseconds(ProductMethod method);

  @Override
  void close();

  /** Makes room. */
  @FunctionalInterface
  interface Opener {
    ProductTrial open(Product product, List<ProductMethod> methods);
  }
}
