package org.hast4j.nn;

/** One layer of a network; its parameters carry PyTorch's names. */
public sealed interface Layer {
  /** Convolution with a square kernel; weight [outputs, kernel, kernel, inputs]. */
  record Convolution(long inputs, long outputs, int kernel, int stride, int pad) implements Layer {}

  /** A filter of its own for each channel; weight [channels, kernel, kernel, 1]. */
  record DepthwiseConvolution(long channels, int kernel, int stride, int pad) implements Layer {}

  /** Batch normalisation over the channels. */
  record BatchNorm(long channels, float epsilon) implements Layer {
    /** With PyTorch's default of 1e-5 added to the variance. */
    public BatchNorm(long channels) {
      this(channels, 1e-5f);
    }
  }

  /** min(max(x, 0), ceiling), 6 for ReLU6: a quantisation point. */
  record Relu(float ceiling) implements Layer {
    /** Without an upper bound. */
    public Relu() {
      this(Float.POSITIVE_INFINITY);
    }
  }

  /** The sum of two inputs that closes a residual unit. */
  record Add() implements Layer {}

  /** ResNet shortcut A: subsampling and zero channels instead of a convolution. */
  record PadShortcut(int stride, long channels) implements Layer {}

  /** The largest value of each square window; padding never wins. */
  record MaxPool(int window, int stride, int pad) implements Layer {}

  /** Mean over height and width. */
  record GlobalAveragePool() implements Layer {}

  /** Fully connected classifier; weight [outputs, inputs] and bias [outputs]. */
  record Linear(long inputs, long outputs) implements Layer {}
}
