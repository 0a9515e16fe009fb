package org.hast4j.io.bytes;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.hast4j.tensor.DType;

/** Little-endian numbers, as all files of networks hold them, at any place in their bytes. */
public final class LittleEndian {
  public static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  public static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  public static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  public static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  public static final ValueLayout.OfDouble DOUBLE =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private LittleEndian() {}

  /** One element of a type as a float, rounded to the nearest. */
  public static float real(MemorySegment bytes, DType type, long element) {
    return switch (type) {
      case F32 -> bytes.getAtIndex(FLOAT, element);
      case F64 -> (float) bytes.getAtIndex(DOUBLE, element);
      case F16 -> Float.float16ToFloat(bytes.getAtIndex(SHORT, element));
      // A bfloat16 is the upper half of a float.
      case BF16 -> Float.intBitsToFloat(bytes.getAtIndex(SHORT, element) << 16);
      case I64, I32, I8, U8 -> whole(bytes, type, element);
    };
  }

  /** One element of a type as a whole number, without its fraction. */
  public static long whole(MemorySegment bytes, DType type, long element) {
    return switch (type) {
      case I64 -> bytes.getAtIndex(LONG, element);
      case I32 -> bytes.getAtIndex(INT, element);
      case I8 -> bytes.get(ValueLayout.JAVA_BYTE, element);
      case U8 -> Byte.toUnsignedLong(bytes.get(ValueLayout.JAVA_BYTE, element));
      case F64, F32, F16, BF16 -> (long) real(bytes, type, element);
    };
  }

  /** Elements of a type from one on, in a row, as floats. */
  public static float[] reals(MemorySegment bytes, DType type, long start, int count) {
    float[] values = new float[count];
    if (type == DType.F32) {
      MemorySegment.copy(bytes, FLOAT, start * Float.BYTES, values, 0, count);
      return values;
    }
    for (int i = 0; i < count; i++) {
      values[i] = real(bytes, type, start + i);
    }
    return values;
  }
}
