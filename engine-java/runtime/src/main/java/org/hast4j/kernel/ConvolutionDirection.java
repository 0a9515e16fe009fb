package org.hast4j.kernel;

import org.hast4j.kernel.abi.Abi;

/** The three products of a convolutional layer. */
public enum ConvolutionDirection {
  FORWARD(Abi.CONV_FWD),
  DATA_GRADIENT(Abi.CONV_BWD_DATA),
  WEIGHT_GRADIENT(Abi.CONV_BWD_WEIGHT);

  private final int code;

  ConvolutionDirection(int code) {
    this.code = code;
  }

  /** HAST_CONV_* of the C ABI. */
  public int code() {
    return code;
  }

  /** Which of a layer's three tensors, or of their gradients, it computes. */
  public <T> T result(T input, T weight, T output) {
    return switch (this) {
      case FORWARD -> output;
      case DATA_GRADIENT -> input;
      case WEIGHT_GRADIENT -> weight;
    };
  }

  /** Which of them is its first operand. */
  public <T> T first(T input, T output) {
    return this == FORWARD ? input : output;
  }

  /** Which of them is its second operand. */
  public <T> T second(T input, T weight) {
    return this == WEIGHT_GRADIENT ? input : weight;
  }
}
