package org.hast4j.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntFunction;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/**
 * Reads and writes named tensors in the safetensors format: a little-endian 64-bit header length, a
 * JSON header with every tensor's type, shape and byte range, then the little-endian values.
 *
 * <p>A file is memory-mapped and checked as a whole when it is opened, so that a tensor of an open
 * file can always be read. Instances are immutable and may be shared between threads.
 *
 * @see <a href="https://huggingface.co/docs/safetensors">the format</a>
 */
public final class Safetensors {
  /** The format's own bound on the header, against files that ask for absurd allocations. */
  private static final long MAX_HEADER_BYTES = 100_000_000;

  private static final String METADATA = "__metadata__";
  private static final JsonFactory JSON = new JsonFactory();

  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLE =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;
  private final Map<String, String> metadata;
  private final Map<String, Tensor> tensors;

  private Safetensors(Path file, Map<String, String> metadata, Map<String, Tensor> tensors) {
    this.file = file;
    this.metadata = Collections.unmodifiableMap(metadata);
    this.tensors = Collections.unmodifiableMap(tensors);
  }

  /**
   * Opens a file and checks it.
   *
   * @throws CorruptFileException if the file is cut short or contradicts itself, or holds a type
   *     that is not a {@link DType}
   * @throws UnreadableFileException if the file cannot be read
   */
  public static Safetensors read(Path file) {
    MemorySegment bytes;
    try (FileChannel channel = FileChannel.open(file)) {
      // The automatic arena unmaps the file once neither this object nor a tensor of it is in use.
      bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.ofAuto());
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    }
    return new HeaderParser(file, bytes).parse();
  }

  public Path file() {
    return file;
  }

  /** The free-form texts of the header, in file order. */
  public Map<String, String> metadata() {
    return metadata;
  }

  /** The names of all tensors, in file order. */
  public Set<String> names() {
    return tensors.keySet();
  }

  /**
   * The tensor of that name.
   *
   * @throws IllegalArgumentException if there is none
   */
  public Tensor tensor(String name) {
    return find(name)
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    file + " has no tensor \"" + name + "\"; it has " + tensors.keySet()));
  }

  /** The tensor of that name, if there is one. */
  public Optional<Tensor> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  /** One tensor of an open file. Every accessor copies the values out of the file, row-major. */
  public static final class Tensor {
    private final Path file;
    private final String name;
    private final DType dtype;
    private final Shape shape;
    private final MemorySegment data;

    private Tensor(Path file, String name, DType dtype, Shape shape, MemorySegment data) {
      this.file = file;
      this.name = name;
      this.dtype = dtype;
      this.shape = shape;
      this.data = data;
    }

    public String name() {
      return name;
    }

    /** The type of the values in the file. */
    public DType dtype() {
      return dtype;
    }

    /** The shape; a scalar, which the file stores with no dimensions, is [1]. */
    public Shape shape() {
      return shape;
    }

    /**
     * The values of an F32, F16 or F64 tensor; F64 is rounded to the nearest float.
     *
     * @throws IllegalStateException if the tensor holds integers
     */
    public float[] floats() {
      return floats(0, length());
    }

    /**
     * Some of the values of an F32, F16 or F64 tensor, for one that is large.
     *
     * @throws IllegalStateException if the tensor holds integers
     * @throws IndexOutOfBoundsException if it has fewer values
     */
    public float[] floats(long start, int count) {
      Objects.checkFromIndexSize(start, count, shape.elements());
      float[] values = new float[count];
      switch (dtype) {
        case F32 -> MemorySegment.copy(data, FLOAT, start * Float.BYTES, values, 0, count);
        case F16 -> {
          for (int i = 0; i < count; i++) {
            values[i] = Float.float16ToFloat(data.getAtIndex(SHORT, start + i));
          }
        }
        case F64 -> {
          for (int i = 0; i < count; i++) {
            values[i] = (float) data.getAtIndex(DOUBLE, start + i);
          }
        }
        case I64, I32, I8, U8 -> throw wrongType("floats() reads F32, F16 and F64");
      }
      return values;
    }

    /**
     * The values of an F64, F32 or F16 tensor.
     *
     * @throws IllegalStateException if the tensor holds integers
     */
    public double[] doubles() {
      double[] values = new double[length()];
      switch (dtype) {
        case F64 -> MemorySegment.copy(data, DOUBLE, 0, values, 0, values.length);
        case F32 -> {
          for (int i = 0; i < values.length; i++) {
            values[i] = data.getAtIndex(FLOAT, i);
          }
        }
        case F16 -> {
          for (int i = 0; i < values.length; i++) {
            values[i] = Float.float16ToFloat(data.getAtIndex(SHORT, i));
          }
        }
        case I64, I32, I8, U8 -> throw wrongType("doubles() reads F64, F32 and F16");
      }
      return values;
    }

    /**
     * The values of an integer tensor.
     *
     * @throws IllegalStateException if the tensor holds floating-point numbers
     */
    public long[] longs() {
      long[] values = new long[length()];
      switch (dtype) {
        case I64 -> MemorySegment.copy(data, LONG, 0, values, 0, values.length);
        case I32 -> {
          for (int i = 0; i < values.length; i++) {
            values[i] = data.getAtIndex(INT, i);
          }
        }
        case I8 -> {
          for (int i = 0; i < values.length; i++) {
            values[i] = data.get(ValueLayout.JAVA_BYTE, i);
          }
        }
        case U8 -> {
          for (int i = 0; i < values.length; i++) {
            values[i] = Byte.toUnsignedLong(data.get(ValueLayout.JAVA_BYTE, i));
          }
        }
        case F64, F32, F16 -> throw wrongType("longs() reads I64, I32, I8 and U8");
      }
      return values;
    }

    /**
     * Some of the values of an I32 tensor, for one that is large.
     *
     * @throws IllegalStateException if the tensor holds something else
     * @throws IndexOutOfBoundsException if it has fewer values
     */
    public int[] ints(long start, int count) {
      Objects.checkFromIndexSize(start, count, shape.elements());
      if (dtype != DType.I32) {
        throw wrongType("ints() reads I32");
      }
      int[] values = new int[count];
      MemorySegment.copy(data, INT, start * Integer.BYTES, values, 0, count);
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

    private int length() {
      return requireArraySize(shape.elements(), "values");
    }

    private int requireArraySize(long size, String what) {
      if (size > Integer.MAX_VALUE - 8) {
        throw new IllegalStateException(
            file
                + ": tensor \""
                + name
                + "\" has "
                + size
                + " "
                + what
                + ", too many for one array");
      }
      return (int) size;
    }

    private IllegalStateException wrongType(String allowed) {
      return new IllegalStateException(
          file + ": tensor \"" + name + "\" is " + dtype + "; " + allowed);
    }
  }

  /** One pass over the header that trusts no number in it. */
  private static final class HeaderParser {
    private final Path file;
    private final MemorySegment bytes;
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final Map<String, Declaration> declarations = new LinkedHashMap<>();
    private boolean metadataSeen;

    HeaderParser(Path file, MemorySegment bytes) {
      this.file = file;
      this.bytes = bytes;
    }

    private record Declaration(String name, DType dtype, Shape shape, long begin, long end) {}

    Safetensors parse() {
      if (bytes.byteSize() < Long.BYTES) {
        throw corrupt(
            "has "
                + bytes.byteSize()
                + " bytes; a safetensors file begins with 8 of header length");
      }
      long headerBytes = bytes.get(LONG, 0);
      if (headerBytes < 0 || headerBytes > MAX_HEADER_BYTES) {
        throw corrupt(
            "declares a header of "
                + Long.toUnsignedString(headerBytes)
                + " bytes, more than the "
                + MAX_HEADER_BYTES
                + " that the format allows; this is hardly a safetensors file");
      }
      long available = bytes.byteSize() - Long.BYTES;
      if (headerBytes > available) {
        throw corrupt(
            "is truncated: it declares a header of "
                + headerBytes
                + " bytes, but only "
                + available
                + " follow");
      }
      byte[] header = bytes.asSlice(Long.BYTES, headerBytes).toArray(ValueLayout.JAVA_BYTE);
      if (header.length == 0 || header[0] != '{') {
        throw corrupt("its header does not begin with '{'; this is hardly a safetensors file");
      }
      try (JsonParser json = JSON.createParser(header)) {
        json.nextToken();
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          parseEntry(json);
        }
        if (json.nextToken() != null) {
          throw corrupt("its header goes on after the closing '}'");
        }
      } catch (JsonProcessingException e) {
        throw new CorruptFileException(
            file, "its header is not valid JSON: " + e.getOriginalMessage(), e);
      } catch (IOException e) {
        throw new UnreadableFileException(file, e);
      }
      requireContiguous(available - headerBytes);
      return new Safetensors(file, metadata, slice(Long.BYTES + headerBytes));
    }

    private void parseEntry(JsonParser json) throws IOException {
      String name = json.currentName();
      if (json.nextToken() != JsonToken.START_OBJECT) {
        throw corrupt("header entry \"" + name + "\" is not a JSON object");
      }
      if (name.equals(METADATA)) {
        parseMetadata(json);
      } else {
        Declaration declaration = parseTensor(json, name);
        if (declarations.putIfAbsent(name, declaration) != null) {
          throw corrupt(name, "is declared twice");
        }
      }
    }

    private void parseMetadata(JsonParser json) throws IOException {
      if (metadataSeen) {
        throw corrupt("its header has " + METADATA + " twice");
      }
      metadataSeen = true;
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String key = json.currentName();
        if (json.nextToken() != JsonToken.VALUE_STRING) {
          throw corrupt("metadata \"" + key + "\" is not a text");
        }
        if (metadata.putIfAbsent(key, json.getText()) != null) {
          throw corrupt("metadata \"" + key + "\" is there twice");
        }
      }
    }

    private Declaration parseTensor(JsonParser json, String name) throws IOException {
      String type = null;
      List<Long> sizes = null;
      List<Long> offsets = null;
      Set<String> seen = new HashSet<>();
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String field = json.currentName();
        if (!seen.add(field)) {
          throw corrupt(name, "has " + field + " twice");
        }
        JsonToken value = json.nextToken();
        switch (field) {
          case "dtype" -> {
            if (value != JsonToken.VALUE_STRING) {
              throw corrupt(name, "has a dtype that is not a text");
            }
            type = json.getText();
          }
          case "shape" -> sizes = parseNumbers(json, name, "shape");
          case "data_offsets" -> offsets = parseNumbers(json, name, "data_offsets");
          default -> json.skipChildren();
        }
      }
      if (type == null || sizes == null || offsets == null) {
        throw corrupt(name, "lacks one of dtype, shape and data_offsets");
      }
      if (offsets.size() != 2) {
        throw corrupt(name, "has data_offsets " + offsets + " instead of a begin and an end");
      }
      DType dtype = dtype(name, type);
      Shape shape = shape(name, sizes);
      return new Declaration(name, dtype, shape, offsets.get(0), offsets.get(1));
    }

    private List<Long> parseNumbers(JsonParser json, String name, String field) throws IOException {
      if (json.currentToken() != JsonToken.START_ARRAY) {
        throw corrupt(name, "has a " + field + " that is not an array");
      }
      List<Long> numbers = new ArrayList<>();
      while (json.nextToken() != JsonToken.END_ARRAY) {
        if (json.currentToken() != JsonToken.VALUE_NUMBER_INT
            || json.getNumberType() == JsonParser.NumberType.BIG_INTEGER
            || json.getLongValue() < 0) {
          throw corrupt(name, "has " + json.getText() + " in its " + field);
        }
        numbers.add(json.getLongValue());
      }
      return numbers;
    }

    private DType dtype(String name, String type) {
      for (DType dtype : DType.values()) {
        if (dtype.name().equals(type)) {
          return dtype;
        }
      }
      throw corrupt(
          name, "has dtype " + type + "; hast4j reads " + List.of(DType.values()) + ": convert it");
    }

    private Shape shape(String name, List<Long> sizes) {
      if (sizes.isEmpty()) {
        return Shape.of(1);
      }
      try {
        return Shape.of(sizes.stream().mapToLong(Long::longValue).toArray());
      } catch (IllegalArgumentException e) {
        throw new CorruptFileException(
            file, "tensor \"" + name + "\" has shape " + sizes + ": " + e.getMessage(), e);
      }
    }

    /** The byte ranges must tile the data: no tensor too long, no overlap, no hole, no rest. */
    private void requireContiguous(long dataBytes) {
      for (Declaration tensor : declarations.values()) {
        if (tensor.begin > tensor.end) {
          throw corrupt(
              tensor.name, "ends at byte " + tensor.end + ", before its begin " + tensor.begin);
        }
        if (tensor.end > dataBytes) {
          throw corrupt(
              tensor.name,
              "ends at byte "
                  + tensor.end
                  + " of the data, but the file has only "
                  + dataBytes
                  + "; it is truncated or its header lies");
        }
        // A quotient instead of a product: elements * size may overflow in a lying header.
        long length = tensor.end - tensor.begin;
        int size = tensor.dtype.bytes();
        if (length % size != 0 || length / size != tensor.shape.elements()) {
          throw corrupt(
              tensor.name,
              "has "
                  + length
                  + " bytes, but "
                  + tensor.dtype
                  + tensor.shape
                  + " takes "
                  + tensor.shape.elements()
                  + " x "
                  + size);
        }
      }
      List<Declaration> ordered = new ArrayList<>(declarations.values());
      ordered.sort(Comparator.comparingLong(Declaration::begin));
      long reached = 0;
      String before = "";
      for (Declaration tensor : ordered) {
        if (tensor.begin < reached) {
          throw corrupt(
              tensor.name,
              "begins at byte "
                  + tensor.begin
                  + ", inside tensor \""
                  + before
                  + "\", which ends at "
                  + reached);
        }
        if (tensor.begin > reached) {
          throw corrupt(
              tensor.name,
              "begins at byte " + tensor.begin + " and leaves a hole from byte " + reached);
        }
        reached = tensor.end;
        before = tensor.name;
      }
      if (reached != dataBytes) {
        throw corrupt(
            "has " + dataBytes + " bytes of data, but its tensors end at byte " + reached);
      }
    }

    private Map<String, Tensor> slice(long dataBegin) {
      Map<String, Tensor> tensors = new LinkedHashMap<>();
      for (Declaration tensor : declarations.values()) {
        MemorySegment data = bytes.asSlice(dataBegin + tensor.begin, tensor.end - tensor.begin);
        tensors.put(tensor.name, new Tensor(file, tensor.name, tensor.dtype, tensor.shape, data));
      }
      return tensors;
    }

    private CorruptFileException corrupt(String problem) {
      return new CorruptFileException(file, problem);
    }

    private CorruptFileException corrupt(String tensor, String problem) {
      return new CorruptFileException(file, "tensor \"" + tensor + "\" " + problem);
    }
  }

  /**
   * Collects tensors and writes them to one file. The arrays are not copied: leave them alone until
   * {@link #write}.
   *
   * <p>The bytes depend on nothing but the calls: metadata and tensors stand in the order of the
   * calls, except that wider types come before narrower ones, which aligns every tensor.
   */
  public static final class Writer {
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
    public Writer() {}

    /** Sets a text of the header; a later text of the same key replaces it. */
    public Writer metadata(String key, String text) {
      metadata.put(key, text);
      return this;
    }

    /** Adds an F32 tensor. */
    public Writer put(String name, Shape shape, float[] values) {
      return put(name, DType.F32, shape, values.length, (b, i) -> b.putFloat(values[i]));
    }

    /**
     * Adds an F32 tensor that is large: its values are asked for while it is written, in parts of a
     * fixed size but for the last.
     *
     * @param parts gives the values from index times {@code size} on
     */
    public Writer putFloatParts(String name, Shape shape, int size, IntFunction<float[]> parts) {
      Parts<float[]> values = new Parts<>(size, parts, (b, part, i) -> b.putFloat(part[i]));
      return put(name, DType.F32, shape, shape.elements(), values);
    }

    /** Adds an I32 tensor in parts, as {@link #putFloatParts} does. */
    public Writer putIntParts(String name, Shape shape, int size, IntFunction<int[]> parts) {
      Parts<int[]> values = new Parts<>(size, parts, (b, part, i) -> b.putInt(part[i]));
      return put(name, DType.I32, shape, shape.elements(), values);
    }

    /** Adds an F64 tensor. */
    public Writer put(String name, Shape shape, double[] values) {
      return put(name, DType.F64, shape, values.length, (b, i) -> b.putDouble(values[i]));
    }

    /** Adds an I64 tensor. */
    public Writer put(String name, Shape shape, long[] values) {
      return put(name, DType.I64, shape, values.length, (b, i) -> b.putLong(values[i]));
    }

    /** Adds an I32 tensor. */
    public Writer put(String name, Shape shape, int[] values) {
      return put(name, DType.I32, shape, values.length, (b, i) -> b.putInt(values[i]));
    }

    /** Adds an I8 tensor. */
    public Writer putSigned(String name, Shape shape, byte[] values) {
      return put(name, DType.I8, shape, values.length, (b, i) -> b.put(values[i]));
    }

    /** Adds a U8 tensor. */
    public Writer putUnsigned(String name, Shape shape, byte[] values) {
      return put(name, DType.U8, shape, values.length, (b, i) -> b.put(values[i]));
    }

    /**
     * Adds an F16 tensor of the values rounded to the nearest half, ties to even.
     *
     * @throws IllegalArgumentException if a finite value is beyond the halves' largest, 65504
     */
    public Writer putHalf(String name, Shape shape, float[] values) {
      for (int i = 0; i < values.length; i++) {
        if (Float.isFinite(values[i])
            && Float.isInfinite(Float.float16ToFloat(Float.floatToFloat16(values[i])))) {
          throw new IllegalArgumentException(
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

    private Writer put(String name, DType dtype, Shape shape, long length, Values values) {
      if (name.equals(METADATA)) {
        throw new IllegalArgumentException("the format keeps the name " + METADATA + " for itself");
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
          json.writeObjectFieldStart(METADATA);
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
}
