package org.hast4j.device.driver;

/**
 * What computes convolutions and linear layers on a GPU. Depthwise convolutions always run on own
 * kernels, and the CPU has one kernel for each.
 */
public enum ConvolutionChoice {
  /** The kernels of the device's library. */
  OWN,
  /**
   * NVIDIA's cuDNN for convolutions, or cuBLASLt where it is faster for those that are one product
   * of matrices; and cuBLASLt for linear layers, own kernels for those it advises nothing for. It
   * is an error that cuDNN cannot be used, or that cuBLASLt is found and does not open.
   */
  CUDNN,
  /** For each shape whichever is fastest here, as measured once. */
  AUTO
}
