package org.hast4j.exec;

import java.util.List;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionMethod;
import org.hast4j.kernel.ConvolutionShape;

/** Room to run the methods for one convolution. */
interface ConvolutionTrial extends AutoCloseable {
  /**
   * Runs a method several times, the first of them untimed.
   *
   * @return the milliseconds of one run
   * @throws RuntimeException if the method fails
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
