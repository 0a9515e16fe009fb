package org.hast4j.exec;

import java.util.List;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionMethod;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.KernelException;

/** Room to run the methods for one convolution. */
interface ConvolutionTrial extends AutoCloseable {
  /**
   * Runs a method once wherever a program may, so that whatever it loads when first used is there.
   *
   * @throws RuntimeException if the method fails
   * @throws KernelException a fatal one, if it cost the process the device
   */
  void run(ConvolutionMethod method);

  /**
   * Times a method, after a {@link #run}.
   *
   * @return the milliseconds of one run
   * @throws RuntimeException if the method fails
   * @throws KernelException a fatal one, if it cost the process the device
   */
  double milliseconds(ConvolutionMethod method);

  @Override
  void close();

  /** Makes room. */
  @FunctionalInterface
  interface Opener {
    ConvolutionTrial open(
        ConvolutionShape shape, ConvolutionDirection direction, List<ConvolutionMethod> methods);
  }
}
