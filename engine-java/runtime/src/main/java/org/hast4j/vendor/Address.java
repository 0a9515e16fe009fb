package org.hast4j.vendor;

import org.bytedeco.javacpp.Pointer;

/**
 * Memory that JavaCPP does not own. It refuses to allocate any where the process's resident size
 * exceeds its limit, which the memory of a CPU device may well do.
 */
final class Address extends Pointer {
  Address(long address) {
    this.address = address;
  }

  /** Null for 0. */
  static Pointer of(long address) {
    return address == 0 ? null : new Address(address);
  }
}
