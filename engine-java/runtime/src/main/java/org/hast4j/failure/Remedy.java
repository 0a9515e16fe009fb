package org.hast4j.failure;

/**
 * A way out of a failure that its message speaks of, for programs that can say how it is taken
 * there: by which argument, option or button.
 */
public enum Remedy {
  /** Give the network's normalization, mean and standard deviation, which its file lacks. */
  GIVE_NORMALIZATION,
  /** Leave out what does not belong to the network. */
  DROP_EXTRA,
  /** Say what the classes are called, in their order. */
  NAME_CLASSES,
  /** Let the CPU compute. */
  USE_CPU,
  /** Let an NVIDIA GPU compute. */
  USE_GPU,
  /** Let whatever is fastest compute convolutions and linear layers, and not cuDNN alone. */
  USE_FASTEST_KERNELS,
  /** Let own kernels compute convolutions and linear layers: no library of NVIDIA's is needed. */
  USE_OWN_KERNELS,
  /** Wait for each kernel: then the failure names the operation that brought it about. */
  AWAIT_LAUNCHES,
  /** Resume the run that a folder holds, or choose another folder. */
  RESUME_OR_OTHER_FOLDER
}
