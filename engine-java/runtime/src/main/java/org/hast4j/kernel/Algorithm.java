package org.hast4j.kernel;

/** One way to compute one product of a layer. */
public interface Algorithm {
  /** A short name that tells it from the other ways to do the same. */
  String name();

  /** Bytes of scratch memory. */
  long workspaceBytes();

  /**
   * Binds the operands.
   *
   * @return the launch of the product
   */
  Launch bind(Operands operands);

  /**
   * Device addresses; NHWC activations, OHWI weights.
   *
   * @param result output, input gradient or weight gradient
   * @param first input; output gradient in both gradients
   * @param second weights; input in the weight gradient
   * @param bias added to the output; out in a linear layer's weight gradient, the bias's; 0 for
   *     none
   * @param accumulate whether to add to the result; only in a convolution's data gradient
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
