package org.hast4j.cifar;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.zip.GZIPOutputStream;

/** Archives for tests: tar entries as POSIX describes them. */
final class Archives {
  private Archives() {}

  static byte[] tar(Map<String, byte[]> files) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(header("folder/", 0, '5'));
    files.forEach(
        (name, content) -> {
          out.writeBytes(header(name, content.length, '0'));
          out.writeBytes(content);
          out.writeBytes(new byte[-content.length & 511]);
        });
    out.writeBytes(new byte[1024]);
    return out.toByteArray();
  }

  static byte[] tarGz(Map<String, byte[]> files) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(tar(files));
    } catch (IOException e) {
      throw new AssertionError("memory does not fail", e);
    }
    return out.toByteArray();
  }

  private static byte[] header(String name, long size, char type) {
    byte[] header = new byte[512];
    put(header, 0, name);
    put(header, 100, "0000644\0");
    put(header, 124, String.format("%011o ", size));
    header[156] = (byte) type;
    put(header, 257, "ustar\00000");
    return header;
  }

  private static void put(byte[] header, int offset, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    System.arraycopy(bytes, 0, header, offset, bytes.length);
  }
}
