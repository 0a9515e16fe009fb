package org.hast4j.device;

/** What computes convolutions and matrix products on a GPU. The CPU has one kernel for each. */
public enum ConvolutionChoice {
  /** The kernels of the device's library. */
  OWN,
  /**
   * NVIDIA's cuDNN, an error where it cannot be used; and cuBLASLt for what is one product of
   * matrices, own kernels for linear layers where that cannot be used.
   */
  CUDNN,
  /** For each shape whichever is fastest here, as measured once. */
  AUTO
}
