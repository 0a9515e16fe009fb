package org.hast4j.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/** One pass over a file's header that trusts no number in it. */
final class SafetensorsHeader {
  /** The name of the texts among the tensors. */
  static final String METADATA = "__metadata__";

  /** The format's own bound on the header, against files that ask for absurd allocations. */
  private static final long MAX_HEADER_BYTES = 100_000_000;

  private static final JsonFactory JSON = new JsonFactory();
  private static final ValueLayout.OfLong LENGTH =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final Path file;
  private final MemorySegment bytes;
  private final boolean foreign;
  private final Map<String, String> metadata = new LinkedHashMap<>();
  private final Map<String, Declaration> declarations = new LinkedHashMap<>();
  private final Map<String, String> omitted = new LinkedHashMap<>();
  private boolean metadataSeen;

  /**
   * @param foreign whether tensors of types that are not read may be there, and are left out
   */
  SafetensorsHeader(Path file, MemorySegment bytes, boolean foreign) {
    this.file = file;
    this.bytes = bytes;
    this.foreign = foreign;
  }

  /**
   * @param dtype null, as the shape is, for a tensor that is left out
   */
  private record Declaration(String name, DType dtype, Shape shape, long begin, long end) {
    boolean isOmitted() {
      return dtype == null;
    }
  }

  Safetensors parse() {
    if (bytes.byteSize() < Long.BYTES) {
      throw corrupt(
          "has " + bytes.byteSize() + " bytes; a safetensors file begins with 8 of header length");
    }
    long headerBytes = bytes.get(LENGTH, 0);
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
    return new Safetensors(file, metadata, slice(Long.BYTES + headerBytes), omitted);
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
    if (foreign && (sizes.contains(0L) || !isRead(type))) {
      omitted.put(name, type);
      return new Declaration(name, null, null, offsets.get(0), offsets.get(1));
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

  private static boolean isRead(String type) {
    return Arrays.stream(DType.values()).anyMatch(dtype -> dtype.name().equals(type));
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
      long[] all = new long[sizes.size()];
      for (int i = 0; i < all.length; i++) {
        all[i] = sizes.get(i);
      }
      return Shape.of(all);
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
      if (tensor.isOmitted()) {
        continue;
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
    ordered.sort(Comparator.comparingLong(Declaration::begin).thenComparingLong(Declaration::end));
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
      throw corrupt("has " + dataBytes + " bytes of data, but its tensors end at byte " + reached);
    }
  }

  private Map<String, Safetensors.Tensor> slice(long dataBegin) {
    Map<String, Safetensors.Tensor> tensors = new LinkedHashMap<>();
    for (Declaration tensor : declarations.values()) {
      if (tensor.isOmitted()) {
        continue;
      }
      MemorySegment data = bytes.asSlice(dataBegin + tensor.begin, tensor.end - tensor.begin);
      tensors.put(
          tensor.name, new Safetensors.Tensor(file, tensor.name, tensor.dtype, tensor.shape, data));
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
