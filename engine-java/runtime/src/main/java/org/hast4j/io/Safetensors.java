package org.hast4j.io;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.bytes.LittleEndian;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/**
 * Reads named tensors in the safetensors format: a little-endian 64-bit header length, a JSON
 * header with every tensor's type, shape and byte range, then the little-endian values.
 *
 * <p>A file is memory-mapped and checked as a whole when it is opened, so that a tensor of an open
 * file can always be read. Instances are immutable and may be shared between threads.
 *
 * @see <a href="https://huggingface.co/docs/safetensors">the format</a>
 */
public final class Safetensors {

  private final Path file;
  private final Map<String, String> metadata;
  private final Map<String, Tensor> tensors;
  private final Map<String, String> omitted;

  Safetensors(
      Path file,
      Map<String, String> metadata,
      Map<String, Tensor> tensors,
      Map<String, String> omitted) {
    this.file = file;
    this.metadata = Collections.unmodifiableMap(metadata);
    this.tensors = Collections.unmodifiableMap(tensors);
    this.omitted = Collections.unmodifiableMap(omitted);
  }

  /**
   * Opens a file and checks it.
   *
   * @throws CorruptFileException if the file is cut short or contradicts itself, or holds a type
   *     that is not a {@link DType}
   * @throws UnreadableFileException if the file cannot be read
   */
  public static Safetensors read(Path file) {
    return new SafetensorsHeader(file, map(file), false).parse();
  }

  /**
   * Opens a file that any program may have written. Tensors of a type that is not a {@link DType},
   * and tensors without values, are left out.
   *
   * @throws CorruptFileException if the file is cut short or contradicts itself
   * @throws UnreadableFileException if the file cannot be read
   * @see #omitted
   */
  public static Safetensors readForeign(Path file) {
    return new SafetensorsHeader(file, map(file), true).parse();
  }

  private static MemorySegment map(Path file) {
    try (FileChannel channel = FileChannel.open(file)) {
      // The automatic arena unmaps the file once neither its header nor a tensor of it is in use.
      return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.ofAuto());
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    }
  }

  public Path file() {
    return file;
  }

  /** The free-form texts of the header, in file order. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /**
   * A text of the header.
   *
   * @throws RefusedException if there is none
   */
  public String required(String key) {
    return Optional.ofNullable(metadata.get(key))
        .orElseThrow(() -> new RefusedException("its metadata lack " + key));
  }

  /**
   * A text of the header that is a whole number.
   *
   * @param parse throws NumberFormatException where it is none, or too large
   * @throws RefusedException if there is none, or it is none
   */
  public <N> N whole(String key, Function<String, N> parse) {
    String text = required(key);
    try {
      return parse.apply(text);
    } catch (NumberFormatException e) {
      throw new RefusedException(
          "its metadata %s is '%s', not a whole number".formatted(key, text), e);
    }
  }

  /** The tensors that were left out and their types, as the file writes them. */
  public Map<String, String> omitted() {
    return omitted;
  }

  /** The names of all tensors, in file order. */
  public Set<String> names() {
    return tensors.keySet();
  }

  /**
   * The tensor of that name.
   *
   * @throws CorruptFileException if there is none
   */
  public Tensor tensor(String name) {
    return find(name)
        .orElseThrow(
            () ->
                new CorruptFileException(
                    file, "it has no tensor \"" + name + "\", only " + tensors.keySet()));
  }

  /** The tensor of that name, if there is one. */
  public Optional<Tensor> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  /**
   * The tensor of that name, which must have so many values.
   *
   * @throws CorruptFileException if there is none
   * @throws RefusedException if it has more or fewer
   */
  public Tensor sized(String name, long count) {
    Tensor tensor = tensor(name);
    if (tensor.shape().elements() != count) {
      throw new RefusedException(
          "tensor %s has %d values instead of %d"
              .formatted(name, tensor.shape().elements(), count));
    }
    return tensor;
  }

  /** One tensor of an open file. Every accessor copies the values out of the file, row-major. */
  public static final class Tensor implements StoredTensor {
    private final Path file;
    private final String name;
    private final DType dtype;
    private final Shape shape;
    private final MemorySegment data;

    Tensor(Path file, String name, DType dtype, Shape shape, MemorySegment data) {
      this.file = file;
      this.name = name;
      this.dtype = dtype;
      this.shape = shape;
      this.data = data;
    }

    @Override
    public String name() {
      return name;
    }

    /** The type of the values in the file. */
    @Override
    public DType dtype() {
      return dtype;
    }

    /** The shape; a scalar, which the file stores with no dimensions, is [1]. */
    @Override
    public Shape shape() {
      return shape;
    }

    /**
     * The values of an F32, F16, BF16 or F64 tensor; F64 is rounded to the nearest float.
     *
     * @throws CorruptFileException if the tensor holds integers
     */
    @Override
    public float[] floats() {
      return floats(0, length());
    }

    /**
     * Some of the values of an F32, F16, BF16 or F64 tensor, for one that is large.
     *
     * @throws CorruptFileException if the tensor holds integers
     * @throws IndexOutOfBoundsException if it has fewer values
     */
    public float[] floats(long start, int count) {
      Objects.checkFromIndexSize(start, count, shape.elements());
      requireReal("floats() reads F32, F16, BF16 and F64");
      return LittleEndian.reals(data, dtype, start, count);
    }

    /**
     * The values of an F64, F32, F16 or BF16 tensor.
     *
     * @throws CorruptFileException if the tensor holds integers
     */
    public double[] doubles() {
      requireReal("doubles() reads F64, F32, F16 and BF16");
      double[] values = new double[length()];
      if (dtype == DType.F64) {
        MemorySegment.copy(data, LittleEndian.DOUBLE, 0, values, 0, values.length);
        return values;
      }
      for (int i = 0; i < values.length; i++) {
        values[i] = LittleEndian.real(data, dtype, i);
      }
      return values;
    }

    /**
     * The values of an integer tensor.
     *
     * @throws CorruptFileException if the tensor holds floating-point numbers
     */
    public long[] longs() {
      if (dtype.isReal()) {
        throw wrongType("longs() reads I64, I32, I8 and U8");
      }
      long[] values = new long[length()];
      for (int i = 0; i < values.length; i++) {
        values[i] = LittleEndian.whole(data, dtype, i);
      }
      return values;
    }

    /**
     * Some of the values of an I32 tensor, for one that is large.
     *
     * @throws CorruptFileException if the tensor holds something else
     * @throws IndexOutOfBoundsException if it has fewer values
     */
    public int[] ints(long start, int count) {
      Objects.checkFromIndexSize(start, count, shape.elements());
      if (dtype != DType.I32) {
        throw wrongType("ints() reads I32");
      }
      int[] values = new int[count];
      MemorySegment.copy(data, LittleEndian.INT, start * Integer.BYTES, values, 0, count);
      return values;
    }

    /** The bytes as they stand in the file, little-endian, of a tensor of any type. */
    public byte[] bytes() {
      requireArraySize(data.byteSize(), "bytes");
      return data.toArray(ValueLayout.JAVA_BYTE);
    }

    @Override
    public String toString() {
      return name + " " + dtype + shape;
    }

    private void requireReal(String allowed) {
      if (!dtype.isReal()) {
        throw wrongType(allowed);
      }
    }

    private int length() {
      return requireArraySize(shape.elements(), "values");
    }

    private int requireArraySize(long size, String what) {
      if (size > Integer.MAX_VALUE - 8) {
        throw new CorruptFileException(
            file, "tensor \"%s\" has %d %s, too many for one array".formatted(name, size, what));
      }
      return (int) size;
    }

    private CorruptFileException wrongType(String allowed) {
      return new CorruptFileException(file, "tensor \"" + name + "\" is " + dtype + "; " + allowed);
    }
  }
}
