package org.hast4j.bench;

/** The three maps of a convolution, in the order of the ABI's direction codes. */
public enum ConvolutionDirection {
  /** (x, weight) to y. */
  FORWARD,
  /** (dy, weight) to dx. */
  DATA,
  /** (dy, x) to dweight. */
  WEIGHT;

  int resultElements(ConvolutionShape shape, int batch) {
    return switch (this) {
      case FORWARD -> shape.outputElements(batch);
      case DATA -> shape.inputElements(batch);
      case WEIGHT -> shape.weightElements();
    };
  }
}
