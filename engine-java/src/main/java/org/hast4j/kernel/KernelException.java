package org.hast4j.kernel;

import java.util.Set;

/** A kernel library refused or failed a call. */
public final class KernelException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String function;
  private final int status;
  private final boolean outOfMemory;

  /** HAST_EUNSUPPORTED of the C ABI. */
  private static final int UNSUPPORTED = -5;

  /** Also what the runtime says where there is no driver at all. */
  private static final int DRIVER_TOO_OLD = 35;

  /** After one of these the driver refuses every further call of the process. */
  private static final Set<Integer> FATAL =
      Set.of(214, 220, 700, 702, 710, 714, 715, 716, 717, 718, 719);

  KernelException(String function, int status, String text, boolean outOfMemory) {
    super("%s: %s (status %d)%s".formatted(function, text, status, advice(status)));
    this.function = function;
    this.status = status;
    this.outOfMemory = outOfMemory;
  }

  /** The same failure with the place in the program where it happened. */
  private KernelException(KernelException cause, String place) {
    super(cause.getMessage() + " at " + place, cause);
    this.function = cause.function;
    this.status = cause.status;
    this.outOfMemory = cause.outOfMemory;
  }

  private static String advice(int status) {
    if (status == DRIVER_TOO_OLD) {
      return "; install an NVIDIA driver for CUDA 13 (580 or newer), or use --device cpu";
    }
    return FATAL.contains(status)
        ? "; a kernel failed on the device, which this process cannot use any more: a run can be"
            + " resumed by a new one, and compute-sanitizer names the kernel"
        : "";
  }

  public KernelException at(String place) {
    return new KernelException(this, place);
  }

  /** The C symbol. */
  public String function() {
    return function;
  }

  public int status() {
    return status;
  }

  /** Whether the process cannot use the device any more. */
  public boolean isFatal() {
    return FATAL.contains(status);
  }

  /** Whether the library does not do what it was asked for, and never will. */
  public boolean isRefusal() {
    return status == UNSUPPORTED;
  }

  /** Whether the device had too little free memory. */
  public boolean isOutOfMemory() {
    return outOfMemory;
  }
}
