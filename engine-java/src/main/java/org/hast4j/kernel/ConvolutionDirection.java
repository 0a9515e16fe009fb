package org.hast4j.kernel;

/** The three products of a convolutional layer. */
public enum ConvolutionDirection {
  FORWARD(0),
  DATA_GRADIENT(1),
  WEIGHT_GRADIENT(2);

  private final int code;

  ConvolutionDirection(int code) {
    this.code = code;
  }

  /** HAST_CONV_* of the C ABI. */
  public int code() {
    return code;
  }
}
