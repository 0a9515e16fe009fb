package org.hast4j.source.torch;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.bytes.LittleEndian;

/** Bytes that are read from front to back, little-endian, and never beyond their end. */
final class PickleInput {
  /** Against texts that would fill the heap. */
  private static final long MAX_TEXT_BYTES = 1 << 26;

  private static final ValueLayout.OfLong BIG_ENDIAN_LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  private final Path file;
  private final MemorySegment bytes;
  private long position;

  PickleInput(Path file, MemorySegment bytes) {
    this.file = file;
    this.bytes = bytes;
  }

  Path file() {
    return file;
  }

  long position() {
    return position;
  }

  int unsignedByte() {
    return Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, advance(Byte.BYTES)));
  }

  int unsignedShort() {
    return Short.toUnsignedInt(bytes.get(LittleEndian.SHORT, advance(Short.BYTES)));
  }

  int int32() {
    return bytes.get(LittleEndian.INT, advance(Integer.BYTES));
  }

  long unsignedInt() {
    return Integer.toUnsignedLong(int32());
  }

  /** A length: one beyond 2^63 reads as negative and is refused by whoever takes so many bytes. */
  long int64() {
    return bytes.get(LittleEndian.LONG, advance(Long.BYTES));
  }

  /** A pickle's only big-endian number. */
  double bigEndianDouble() {
    return Double.longBitsToDouble(bytes.get(BIG_ENDIAN_LONG, advance(Double.BYTES)));
  }

  /** The next bytes, not copied. */
  MemorySegment bytes(long count) {
    return bytes.asSlice(advance(count), count);
  }

  byte[] array(long count) {
    MemorySegment text = bytes(count);
    if (count > MAX_TEXT_BYTES) {
      throw corrupt("has a text of " + count + " bytes before byte " + position);
    }
    return text.toArray(ValueLayout.JAVA_BYTE);
  }

  String text(long count) {
    return new String(array(count), StandardCharsets.UTF_8);
  }

  /** What precedes the next line feed, which is skipped. */
  String line() {
    long end = position;
    while (end < bytes.byteSize() && bytes.get(ValueLayout.JAVA_BYTE, end) != '\n') {
      end++;
    }
    String line = text(end - position);
    advance(1);
    return line;
  }

  /** The position before, moved on behind so many bytes. */
  private long advance(long count) {
    long available = bytes.byteSize() - position;
    if (count < 0 || count > available) {
      throw corrupt(
          "is damaged or cut short: %s bytes should follow byte %d of %d"
              .formatted(Long.toUnsignedString(count), position, bytes.byteSize()));
    }
    long start = position;
    position += count;
    return start;
  }

  CorruptFileException corrupt(String problem) {
    return new CorruptFileException(file, problem);
  }
}
