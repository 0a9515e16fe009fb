package org.hast4j.quant;

/**
 * Unsigned integers of 2 to 8 bits in a byte array, back to back, the lowest bits of a byte first.
 */
final class BitPacking {
  private BitPacking() {}

  /** Bytes that {@code count} values of {@code bits} bits take. */
  static int bytes(int count, int bits) {
    return Math.toIntExact(((long) count * bits + 7) / 8);
  }

  /** Packs values, each in [0, 2^bits). */
  static byte[] pack(int[] values, int bits) {
    byte[] packed = new byte[bytes(values.length, bits)];
    for (int i = 0; i < values.length; i++) {
      if (values[i] < 0 || values[i] >= 1 << bits) {
        throw new IllegalArgumentException(
            "level %d does not fit %d bits".formatted(values[i], bits));
      }
      long bit = (long) i * bits;
      int at = (int) (bit / 8);
      int shifted = values[i] << (bit % 8);
      packed[at] |= (byte) shifted;
      if (bit % 8 + bits > 8) {
        packed[at + 1] |= (byte) (shifted >> 8);
      }
    }
    return packed;
  }

  /** The inverse of {@link #pack}. */
  static int[] unpack(byte[] packed, int count, int bits) {
    if (packed.length != bytes(count, bits)) {
      throw new IllegalArgumentException(
          "%d values of %d bits take %d bytes, got %d"
              .formatted(count, bits, bytes(count, bits), packed.length));
    }
    int[] values = new int[count];
    int mask = (1 << bits) - 1;
    // Bits that are read and not yet used, and how many.
    int ahead = 0;
    int known = 0;
    int at = 0;
    for (int i = 0; i < count; i++) {
      if (known < bits) {
        ahead |= (packed[at++] & 0xff) << known;
        known += 8;
      }
      values[i] = ahead & mask;
      ahead >>>= bits;
      known -= bits;
    }
    return values;
  }
}
