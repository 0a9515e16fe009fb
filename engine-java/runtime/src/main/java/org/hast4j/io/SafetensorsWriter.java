package org.hast4j.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/**
 * Collects tensors and writes them to one file. The arrays are not copied: leave them alone until
 * {@link #write}.
 *
 * <p>The bytes depend on nothing but the calls: metadata and tensors stand in the order of the
 * calls, except that wider types come before narrower ones, which aligns every tensor.
 */
public final class SafetensorsWriter {
  private static final JsonFactory JSON = new JsonFactory();
  private static final int CHUNK_BYTES = 1 << 16;

  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final Map<String, Entry> entries = new LinkedHashMap<>();

  private record Entry(DType dtype, Shape shape, Values values) {
    long bytes() {
      return shape.elements() * dtype.bytes();
    }
  }

  /** Puts the value at an index, which counts up from 0, into a little-endian buffer. */
  @FunctionalInterface
  private interface Values {
    void put(ByteBuffer chunk, int index);
  }

  /** Values that are there only part by part. */
  private static final class Parts<T> implements Values {
    private final int size;
    private final IntFunction<T> parts;
    private final Element<T> element;
    private T part;

    Parts(int size, IntFunction<T> parts, Element<T> element) {
      this.size = size;
      this.parts = parts;
      this.element = element;
    }

    private interface Element<T> {
      void put(ByteBuffer chunk, T part, int index);
    }

    @Override
    public void put(ByteBuffer chunk, int index) {
      if (index % size == 0) {
        part = parts.apply(index / size);
      }
      element.put(chunk, part, index % size);
    }
  }

  /** An empty file. */
  public SafetensorsWriter() {}

  /** Sets a text of the header; a later text of the same key replaces it. */
  public SafetensorsWriter metadata(String key, String text) {
    metadata.put(key, text);
    return this;
  }

  /** Adds an F32 tensor. */
  public SafetensorsWriter put(String name, Shape shape, float[] values) {
    return put(name, DType.F32, shape, values.length, (b, i) -> b.putFloat(values[i]));
  }

  /**
   * Adds an F32 tensor that is large: its values are asked for while it is written, in parts of a
   * fixed size but for the last.
   *
   * @param parts gives the values from index times {@code size} on
   */
  public SafetensorsWriter putFloatParts(
      String name, Shape shape, int size, IntFunction<float[]> parts) {
    Parts<float[]> values = new Parts<>(size, parts, (b, part, i) -> b.putFloat(part[i]));
    return put(name, DType.F32, shape, shape.elements(), values);
  }

  /** Adds an I32 tensor in parts, as {@link #putFloatParts} does. */
  public SafetensorsWriter putIntParts(
      String name, Shape shape, int size, IntFunction<int[]> parts) {
    Parts<int[]> values = new Parts<>(size, parts, (b, part, i) -> b.putInt(part[i]));
    return put(name, DType.I32, shape, shape.elements(), values);
  }

  /** Adds an F64 tensor. */
  public SafetensorsWriter put(String name, Shape shape, double[] values) {
    return put(name, DType.F64, shape, values.length, (b, i) -> b.putDouble(values[i]));
  }

  /** Adds an I64 tensor. */
  public SafetensorsWriter put(String name, Shape shape, long[] values) {
    return put(name, DType.I64, shape, values.length, (b, i) -> b.putLong(values[i]));
  }

  /** Adds an I32 tensor. */
  public SafetensorsWriter put(String name, Shape shape, int[] values) {
    return put(name, DType.I32, shape, values.length, (b, i) -> b.putInt(values[i]));
  }

  /** Adds an I8 tensor. */
  public SafetensorsWriter putSigned(String name, Shape shape, byte[] values) {
    return put(name, DType.I8, shape, values.length, (b, i) -> b.put(values[i]));
  }

  /** Adds a U8 tensor. */
  public SafetensorsWriter putUnsigned(String name, Shape shape, byte[] values) {
    return put(name, DType.U8, shape, values.length, (b, i) -> b.put(values[i]));
  }

  /**
   * Adds an F16 tensor of the values rounded to the nearest half, ties to even.
   *
   * @throws RefusedException if a finite value is beyond the halves' largest, 65504
   */
  public SafetensorsWriter putHalf(String name, Shape shape, float[] values) {
    for (int i = 0; i < values.length; i++) {
      if (Float.isFinite(values[i])
          && Float.isInfinite(Float.float16ToFloat(Float.floatToFloat16(values[i])))) {
        throw new RefusedException(
            "tensor \"" + name + "\": " + values[i] + " at " + i + " is too large for F16");
      }
    }
    return put(
        name,
        DType.F16,
        shape,
        values.length,
        (b, i) -> b.putShort(Float.floatToFloat16(values[i])));
  }

  private SafetensorsWriter put(String name, DType dtype, Shape shape, long length, Values values) {
    if (name.equals(SafetensorsHeader.METADATA)) {
      throw new IllegalArgumentException(
          "the format keeps the name " + SafetensorsHeader.METADATA + " for itself");
    }
    if (shape.elements() != length) {
      throw new IllegalArgumentException(
          "tensor \"" + name + "\": " + length + " values do not make a shape of " + shape);
    }
    if (entries.putIfAbsent(name, new Entry(dtype, shape, values)) != null) {
      throw new IllegalArgumentException("tensor \"" + name + "\" was added before");
    }
    return this;
  }

  /**
   * Writes the file through {@link AtomicFile}.
   *
   * @throws java.io.UncheckedIOException if that fails
   */
  public void write(Path target) {
    List<Map.Entry<String, Entry>> ordered = new ArrayList<>(entries.entrySet());
    ordered.sort(Comparator.comparingInt(entry -> -entry.getValue().dtype.bytes()));
    AtomicFile.write(
        target,
        out -> {
          byte[] header = header(ordered);
          ByteBuffer length = littleEndian(Long.BYTES).putLong(header.length);
          out.write(length.array());
          out.write(header);
          for (Map.Entry<String, Entry> entry : ordered) {
            writeValues(out, entry.getValue());
          }
        });
  }

  /** The JSON header, padded with spaces so that the data begins at a multiple of 8 bytes. */
  private byte[] header(List<Map.Entry<String, Entry>> ordered) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator json = JSON.createGenerator(bytes)) {
      json.writeStartObject();
      if (!metadata.isEmpty()) {
        json.writeObjectFieldStart(SafetensorsHeader.METADATA);
        for (Map.Entry<String, String> text : metadata.entrySet()) {
          json.writeStringField(text.getKey(), text.getValue());
        }
        json.writeEndObject();
      }
      long offset = 0;
      for (Map.Entry<String, Entry> entry : ordered) {
        Entry tensor = entry.getValue();
        json.writeObjectFieldStart(entry.getKey());
        json.writeStringField("dtype", tensor.dtype.name());
        json.writeFieldName("shape");
        long[] sizes = tensor.shape.sizes();
        json.writeArray(sizes, 0, sizes.length);
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {offset, offset + tensor.bytes()}, 0, 2);
        json.writeEndObject();
        offset += tensor.bytes();
      }
      json.writeEndObject();
    }
    while (bytes.size() % Long.BYTES != 0) {
      bytes.write(' ');
    }
    return bytes.toByteArray();
  }

  private static void writeValues(OutputStream out, Entry tensor) throws IOException {
    ByteBuffer chunk = littleEndian(CHUNK_BYTES);
    int count = Math.toIntExact(tensor.shape.elements());
    for (int i = 0; i < count; i++) {
      tensor.values.put(chunk, i);
      if (!chunk.hasRemaining()) {
        out.write(chunk.array());
        chunk.clear();
      }
    }
    out.write(chunk.array(), 0, chunk.position());
  }

  private static ByteBuffer littleEndian(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
