package org.hast4j.vendor;

import java.util.Optional;
import org.hast4j.failure.Mendable;
import org.hast4j.failure.Remedy;

/** One of NVIDIA's libraries refused or failed a call. */
public final class VendorException extends IllegalStateException implements Mendable {
  private static final long serialVersionUID = 1L;

  private final boolean refusal;

  VendorException(String message, boolean refusal) {
    super(message);
    this.refusal = refusal;
  }

  /** The same failure with the place in the program where it happened. */
  public VendorException at(String place) {
    VendorException placed = new VendorException(getMessage() + " at " + place, refusal);
    placed.initCause(this);
    return placed;
  }

  /** Whether the library does not take what it was asked for, and never will. */
  public boolean isRefusal() {
    return refusal;
  }

  @Override
  public Optional<Remedy> remedy() {
    return Optional.of(Remedy.USE_OWN_KERNELS);
  }
}
