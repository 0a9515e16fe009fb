package org.hast4j.device;

/** What computes convolutions on a GPU. The CPU has one kernel for each. */
public enum ConvolutionChoice {
  /** The kernels of the device's library. */
  OWN,
  /** NVIDIA's cuDNN; an error where it cannot be used. */
  CUDNN,
  /** For each shape whichever is faster here, as measured once; own kernels without cuDNN. */
  AUTO
}
