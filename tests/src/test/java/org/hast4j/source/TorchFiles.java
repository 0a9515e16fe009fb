package org.hast4j.source;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/** Files as torch.save writes them. */
final class TorchFiles {
  static final BigInteger MAGIC = new BigInteger("119547037146038801333356");

  private TorchFiles() {}

  static byte[] floats(float... values) {
    ByteBuffer bytes =
        ByteBuffer.allocate(Float.BYTES * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (float value : values) {
      bytes.putFloat(value);
    }
    return bytes.array();
  }

  /** A zip file of a pickle and storages by their keys. */
  static byte[] zip(byte[] pickle, Map<String, byte[]> storages) {
    return zip(pickle, storages, ZipEntry.STORED);
  }

  static byte[] zip(byte[] pickle, Map<String, byte[]> storages, int method) {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    entries.put("archive/data.pkl", pickle);
    entries.put("archive/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
    storages.forEach((key, bytes) -> entries.put("archive/data/" + key, bytes));
    entries.put("archive/version", "3\n".getBytes(StandardCharsets.US_ASCII));
    return zipOf(entries, method);
  }

  static byte[] zipOf(Map<String, byte[]> entries, int method) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      for (Map.Entry<String, byte[]> content : entries.entrySet()) {
        ZipEntry entry = new ZipEntry(content.getKey());
        entry.setMethod(method);
        entry.setSize(content.getValue().length);
        CRC32 checksum = new CRC32();
        checksum.update(content.getValue());
        entry.setCrc(checksum.getValue());
        zip.putNextEntry(entry);
        zip.write(content.getValue());
        zip.closeEntry();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  /** A file of PyTorch up to 1.5; each storage's values are counted by its bytes per value. */
  static byte[] legacy(byte[] pickle, Map<String, byte[]> storages, int bytesPerValue) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(magic());
    out.writeBytes(PickleWriter.pickle(1001));
    out.writeBytes(
        PickleWriter.pickle(
            Map.of(
                "protocol_version", 1001, "little_endian", true, "type_sizes", Map.of("int", 4))));
    out.writeBytes(pickle);
    out.writeBytes(PickleWriter.pickle(List.copyOf(storages.keySet())));
    storages.values().forEach(bytes -> out.writeBytes(counted(bytes, bytesPerValue)));
    return out.toByteArray();
  }

  static byte[] magic() {
    byte[] number = MAGIC.toByteArray();
    byte[] reversed = new byte[number.length];
    for (int i = 0; i < number.length; i++) {
      reversed[i] = number[number.length - 1 - i];
    }
    return PickleWriter.raw(0x80, 2, 0x8a, reversed.length, reversed, '.');
  }

  private static byte[] counted(byte[] bytes, int bytesPerValue) {
    return ByteBuffer.allocate(Long.BYTES + bytes.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(bytes.length / bytesPerValue)
        .put(bytes)
        .array();
  }
}
