package org.hast4j.vendor;

import org.bytedeco.javacpp.Pointer;

/** Memory that JavaCPP does not own; it allocates none where a process is large beside its heap. */
final class Address extends Pointer {
  Address(long address) {
    this.address = address;
  }

  /** Null for 0. */
  static Pointer of(long address) {
    return address == 0 ? null : new Address(address);
  }
}
