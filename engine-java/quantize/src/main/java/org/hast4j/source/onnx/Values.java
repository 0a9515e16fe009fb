package org.hast4j.source.onnx;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import org.hast4j.tensor.DType;

/** The numbers of a tensor, row-major, wherever they stand. */
sealed interface Values {
  /** One of them as a float. */
  float real(int index);

  /** One of them as a whole number. */
  long whole(int index);

  /** The first {@code count}, copied. */
  default float[] reals(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = real(i);
    }
    return values;
  }

  /** Little-endian bytes, of the file or of one beside it. */
  record Raw(DType type, ByteBuffer bytes) implements Values {
    @Override
    public float real(int index) {
      return switch (type) {
        case F32 -> bytes.getFloat(index * Float.BYTES);
        case F64 -> (float) bytes.getDouble(index * Double.BYTES);
        case F16 -> Float.float16ToFloat(bytes.getShort(index * Short.BYTES));
        case BF16 -> Float.intBitsToFloat(bytes.getShort(index * Short.BYTES) << 16);
        case I64, I32, I8, U8 -> whole(index);
      };
    }

    @Override
    public long whole(int index) {
      return switch (type) {
        case I64 -> bytes.getLong(index * Long.BYTES);
        case I32 -> bytes.getInt(index * Integer.BYTES);
        case I8 -> bytes.get(index);
        case U8 -> Byte.toUnsignedLong(bytes.get(index));
        case F64, F32, F16, BF16 -> (long) real(index);
      };
    }

    @Override
    public float[] reals(int count) {
      if (type != DType.F32) {
        return Values.super.reals(count);
      }
      float[] values = new float[count];
      // A view has the order of the buffer at its start: the bytes are little-endian.
      bytes.duplicate().order(bytes.order()).clear().asFloatBuffer().get(0, values);
      return values;
    }
  }

  /** Numbers of a list; those of half a float's size stand in it as their bits. */
  record Listed(DType type, List<? extends Number> numbers) implements Values {
    @Override
    public float real(int index) {
      Number number = numbers.get(index);
      return switch (type) {
        case F16 -> Float.float16ToFloat(number.shortValue());
        case BF16 -> Float.intBitsToFloat(number.intValue() << 16);
        case F64, F32, I64, I32, I8, U8 -> number.floatValue();
      };
    }

    @Override
    public long whole(int index) {
      return switch (type) {
        case F16, BF16 -> (long) real(index);
        case F64, F32, I64, I32, I8, U8 -> numbers.get(index).longValue();
      };
    }
  }

  /** One number again and again. */
  record Repeated(float real, long whole) implements Values {
    @Override
    public float real(int index) {
      return real;
    }

    @Override
    public long whole(int index) {
      return whole;
    }

    @Override
    public float[] reals(int count) {
      float[] values = new float[count];
      Arrays.fill(values, real);
      return values;
    }
  }

  /** Whole numbers that were computed. */
  record Wholes(long[] values) implements Values {
    @Override
    public float real(int index) {
      return values[index];
    }

    @Override
    public long whole(int index) {
      return values[index];
    }
  }

  /** Others that were computed. */
  record Reals(float[] values) implements Values {
    @Override
    public float real(int index) {
      return values[index];
    }

    @Override
    public long whole(int index) {
      return (long) values[index];
    }
  }

  /** Those of another tensor in another order. */
  record Ordered(Values source, int[] from) implements Values {
    @Override
    public float real(int index) {
      return source.real(from[index]);
    }

    @Override
    public long whole(int index) {
      return source.whole(from[index]);
    }
  }

  /** A matrix of so many rows and columns, transposed. */
  record Transposed(Values source, int rows, int columns) implements Values {
    private int from(int index) {
      return index % rows * columns + index / rows;
    }

    @Override
    public float real(int index) {
      return source.real(from(index));
    }

    @Override
    public long whole(int index) {
      return source.whole(from(index));
    }

    @Override
    public float[] reals(int count) {
      float[] values = new float[count];
      for (int column = 0, i = 0; column < columns; column++) {
        for (int row = 0; row < rows; row++, i++) {
          values[i] = source.real(row * columns + column);
        }
      }
      return values;
    }
  }
}
