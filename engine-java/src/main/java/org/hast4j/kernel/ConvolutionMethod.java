package org.hast4j.kernel;

import java.util.function.LongConsumer;

/** One way to compute the convolutions of one shape in one direction. */
public interface ConvolutionMethod {
  /** A short name that tells it from the other ways to do the same. */
  String name();

  /** Bytes of scratch memory. */
  long workspaceBytes();

  /**
   * Binds the operands.
   *
   * @return launches on the stream it is given, without allocating anything
   */
  LongConsumer bind(Operands operands);

  /**
   * Device addresses; NHWC activations, OHWI weights.
   *
   * @param result output, input gradient or weight gradient
   * @param first input; output gradient in both gradients
   * @param second weights; input in the weight gradient
   * @param bias added to the output, 0 for none; only forward
   * @param accumulate whether to add to the result; only in the data gradient
   * @param workspace scratch memory, 0 where none is needed
   */
  record Operands(
      long result,
      long first,
      long second,
      long bias,
      boolean accumulate,
      long workspace,
      long workspaceBytes) {}
}
