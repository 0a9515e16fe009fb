package org.hast4j.source.onnx;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.bytes.LittleEndian;
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

  /** In another order, or some of them. */
  default Values ordered(int[] from) {
    return new Ordered(this, from);
  }

  /** Those of a matrix of so many rows and columns, transposed. */
  default Values transposed(int rows, int columns) {
    return new Transposed(this, rows, columns);
  }

  /** Little-endian bytes, of the file or of one beside it. */
  record Raw(DType type, MemorySegment bytes) implements Values {
    @Override
    public float real(int index) {
      return LittleEndian.real(bytes, type, index);
    }

    @Override
    public long whole(int index) {
      return LittleEndian.whole(bytes, type, index);
    }

    @Override
    public float[] reals(int count) {
      return LittleEndian.reals(bytes, type, 0, count);
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
    public Values transposed(int rows, int columns) {
      return this;
    }

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
    // One order behind another is a third, so that they do not pile up.
    @Override
    public Values ordered(int[] others) {
      return new Ordered(source, Arrays.stream(others).map(i -> from[i]).toArray());
    }

    @Override
    public Values transposed(int rows, int columns) {
      return ordered(
          IntStream.range(0, rows * columns).map(i -> i % rows * columns + i / rows).toArray());
    }

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
    public Values ordered(int[] others) {
      return new Ordered(source, Arrays.stream(others).map(this::from).toArray());
    }

    @Override
    public Values transposed(int otherRows, int otherColumns) {
      if (otherRows != columns) {
        throw new RefusedException("a constant is transposed, reshaped and transposed again");
      }
      return source;
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
