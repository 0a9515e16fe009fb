package org.hast4j.source;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;

/** Bytes of a good file after a few accidents, or in the hands of somebody who knows formats. */
final class Mutation {
  private static final int MOST = 4;

  private static final long[] LENGTHS = {
    0,
    1,
    -1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    Integer.MAX_VALUE,
    Integer.MIN_VALUE,
    0xffff_ffffL,
    1L << 32,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    1L << 62
  };

  /** Every opcode of Python's pickles. */
  private static final int[] OPCODES = {
    '(', '.', '0', '1', '2', 'F', 'I', 'J', 'K', 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'U', 'V',
    'X', 'a', 'b', 'c', 'd', 'e', 'g', 'h', 'i', 'j', 'l', 'o', 'p', 'q', 'r', 's', 't', 'u', ')',
    ']', '}', 'G', 'B', 'C', 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b,
    0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98
  };

  private Mutation() {}

  static byte[] of(byte[] good, Random random) {
    byte[] bytes = good.clone();
    for (int i = 0; i <= random.nextInt(MOST) && bytes.length > 0; i++) {
      bytes = once(bytes, random);
    }
    return bytes;
  }

  private static byte[] once(byte[] bytes, Random random) {
    int at = random.nextInt(bytes.length);
    switch (random.nextInt(8)) {
      case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> bytes[at] = (byte) random.nextInt(256);
      case 2 -> {
        return Arrays.copyOf(bytes, at);
      }
      case 3, 4 -> bytes[at] = (byte) OPCODES[random.nextInt(OPCODES.length)];
      case 5 -> overwrite(bytes, at, random);
      case 6 -> {
        return splice(bytes, at, random);
      }
      default -> {
        int from = random.nextInt(bytes.length);
        int count = Math.min(1 + random.nextInt(64), bytes.length - Math.max(at, from));
        System.arraycopy(bytes, from, bytes, at, count);
      }
    }
    return bytes;
  }

  /** Puts a number in the place of another, of any width. */
  private static void overwrite(byte[] bytes, int at, Random random) {
    int width = 1 << random.nextInt(4);
    long number = LENGTHS[random.nextInt(LENGTHS.length)] + random.nextInt(3) - 1;
    byte[] eight =
        ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(number).array();
    System.arraycopy(eight, 0, bytes, at, Math.min(width, bytes.length - at));
  }

  /** Removes some bytes, or repeats some. */
  private static byte[] splice(byte[] bytes, int at, Random random) {
    int count = Math.min(1 + random.nextInt(200), bytes.length - at);
    int times = random.nextInt(3) == 0 ? 1 + random.nextInt(50) : random.nextInt(3);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(bytes, 0, at);
    for (int i = 0; i < times; i++) {
      out.write(bytes, at, count);
    }
    out.write(bytes, at + count, bytes.length - at - count);
    return out.toByteArray();
  }
}
