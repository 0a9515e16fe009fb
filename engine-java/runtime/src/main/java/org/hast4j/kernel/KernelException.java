package org.hast4j.kernel;

import java.util.Optional;
import java.util.Set;
import org.hast4j.failure.Mendable;
import org.hast4j.failure.Remedy;
import org.hast4j.kernel.abi.Abi;

/** A kernel library refused or failed a call. */
public final class KernelException extends RuntimeException implements Mendable {
  private static final long serialVersionUID = 1L;

  private final String failure;
  private final String function;
  private final int status;

  /** Also what the runtime says where there is no driver at all. */
  private static final int DRIVER_TOO_OLD = 35;

  /** After one of these the driver refuses every further call of the process. */
  private static final Set<Integer> FATAL =
      Set.of(214, 220, 700, 702, 710, 714, 715, 716, 717, 718, 719);

  /**
   * Those cudaError_t that are the machine's or the driver's, or out of memory, and that no call of
   * ours brings about.
   */
  private static final Set<Integer> MENDABLE =
      Set.of(
          2, 3, 35, 36, 46, 100, 101, 102, 209, 222, 304, 800, 802, 803, 804, 805, 806, 807, 808,
          809, 999);

  /**
   * A failure.
   *
   * @param failure in words, without advice
   */
  KernelException(String function, int status, String failure) {
    super(failure + advice(status));
    this.failure = failure;
    this.function = function;
    this.status = status;
  }

  private static String advice(int status) {
    if (status == DRIVER_TOO_OLD) {
      return "; " + KernelLibrary.DRIVER_ADVICE;
    }
    return FATAL.contains(status)
        ? "; a kernel failed on the device, this one or an earlier, and the process cannot use it"
            + " any more: a new one can resume the run, compute-sanitizer names the kernel, and"
            + " with each launch waited for the error names the operation that failed"
        : "";
  }

  /** The same failure with the place in the program where it happened. */
  public KernelException at(String place) {
    KernelException placed = new KernelException(function, status, failure + " at " + place);
    placed.initCause(this);
    return placed;
  }

  /** The C symbol. */
  public String function() {
    return function;
  }

  public int status() {
    return status;
  }

  /**
   * Whether the device is lost or too small, or the machine lacks something. Of the statuses that
   * are not CUDA's, that is all but a wrong argument or workspace.
   */
  @Override
  public boolean isMendable() {
    return isFatal() || MENDABLE.contains(status) || status <= Abi.EMEMORY;
  }

  @Override
  public Optional<Remedy> remedy() {
    if (status == DRIVER_TOO_OLD) {
      return Optional.of(Remedy.USE_CPU);
    }
    return isFatal() ? Optional.of(Remedy.AWAIT_LAUNCHES) : Optional.empty();
  }

  /** Whether the process cannot use the device any more. */
  public boolean isFatal() {
    return FATAL.contains(status);
  }

  /** Whether the library does not do what it was asked for, and never will. */
  public boolean isRefusal() {
    return status == Abi.EUNSUPPORTED;
  }

  /** Whether the device had too little free memory. */
  public boolean isOutOfMemory() {
    return status == Abi.EMEMORY;
  }
}
