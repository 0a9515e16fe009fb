package org.hast4j.cifar;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/**
 * Reads the regular files of a tar stream one after the other. It knows the plain and the ustar
 * layout, which is all that data-set archives need, and skips every other kind of entry.
 */
final class TarReader {
  private static final int BLOCK = 512;
  private static final int NAME_BYTES = 100;
  private static final int SIZE_OFFSET = 124;
  private static final int SIZE_BYTES = 12;
  private static final int TYPE_OFFSET = 156;

  private final InputStream in;
  private long unread;

  /** One file: read {@link #content} with the reader before asking for the next entry. */
  record Entry(String name, long size) {
    /** The name without its folders. */
    String baseName() {
      return name.substring(name.lastIndexOf('/') + 1);
    }
  }

  TarReader(InputStream in) {
    this.in = in;
  }

  /** The next regular file, or nothing at the end of the archive. */
  Optional<Entry> next() throws IOException {
    while (true) {
      in.skipNBytes(unread);
      unread = 0;
      byte[] header = in.readNBytes(BLOCK);
      if (header.length == 0 || (header.length == BLOCK && header[0] == 0)) {
        return Optional.empty();
      }
      if (header.length < BLOCK) {
        throw new EOFException("the archive ends inside an entry header");
      }
      long size = octal(header);
      unread = Math.ceilDiv(size, BLOCK) * BLOCK;
      char type = (char) header[TYPE_OFFSET];
      if (type == '0' || type == 0) {
        return Optional.of(new Entry(name(header), size));
      }
    }
  }

  /** The content of the entry that {@link #next} returned last. */
  byte[] content(Entry entry) throws IOException {
    if (entry.size > Integer.MAX_VALUE - 8) {
      throw new IOException(entry.name + " is too large: " + entry.size + " bytes");
    }
    byte[] content = in.readNBytes((int) entry.size);
    unread -= content.length;
    if (content.length < entry.size) {
      throw new EOFException(
          "the archive ends inside %s, after %d of %d bytes"
              .formatted(entry.name, content.length, entry.size));
    }
    return content;
  }

  private static String name(byte[] header) {
    int end = 0;
    while (end < NAME_BYTES && header[end] != 0) {
      end++;
    }
    return new String(header, 0, end, StandardCharsets.UTF_8);
  }

  private static long octal(byte[] header) throws IOException {
    String digits =
        new String(header, SIZE_OFFSET, SIZE_BYTES, StandardCharsets.US_ASCII)
            .replace('\0', ' ')
            .strip();
    try {
      long size = digits.isEmpty() ? 0 : Long.parseLong(digits, 8);
      if (size >= 0) {
        return size;
      }
    } catch (NumberFormatException e) {
      // Falls through to the same answer as a negative size.
    }
    throw new IOException("not a tar archive: an entry has the size \"" + digits + "\"");
  }
}
