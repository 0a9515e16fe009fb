package org.hast4j.source.torch;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.bytes.LittleEndian;

/**
 * The entries of a mapped zip file. Stored ones are parts of the file, not copies.
 *
 * @see <a href="https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT">the format</a>
 */
final class ZipArchive {

  private static final int LOCAL_HEADER = 0x04034b50;
  private static final int DIRECTORY_ENTRY = 0x02014b50;
  private static final int DIRECTORY_END = 0x06054b50;
  private static final int ZIP64_END = 0x06064b50;
  private static final int ZIP64_LOCATOR = 0x07064b50;
  private static final int LOCAL_HEADER_BYTES = 30;
  private static final int DIRECTORY_ENTRY_BYTES = 46;
  private static final int DIRECTORY_END_BYTES = 22;
  private static final int ZIP64_END_BYTES = 56;
  private static final int ZIP64_LOCATOR_BYTES = 20;
  private static final int ZIP64_EXTRA = 1;
  private static final int MAX_COMMENT = 0xffff;
  private static final long IN_ZIP64 = 0xffff_ffffL;
  private static final int STORED = 0;
  private static final int DEFLATED = 8;

  /** Weights shrink by a tenth: a file that grows far beyond this was made to fill the heap. */
  private static final long BASE_INFLATED = 1 << 24;

  private static final long INFLATED_PER_BYTE = 12;

  private final Path file;
  private final MemorySegment bytes;
  private final Map<String, Entry> entries = new LinkedHashMap<>();
  private long inflated;

  private record Entry(
      String name, int flags, int method, long compressed, long size, long header) {}

  /**
   * Reads the directory at the end of a file.
   *
   * @throws CorruptFileException if it is damaged or missing
   */
  ZipArchive(Path file, MemorySegment bytes) {
    this.file = file;
    this.bytes = bytes;
    readDirectory();
  }

  Set<String> names() {
    return entries.keySet();
  }

  private void readDirectory() {
    long end = findEnd();
    long count = Short.toUnsignedLong(bytes.get(LittleEndian.SHORT, end + 10));
    long offset = unsignedInt(end + 16);
    long locator = end - ZIP64_LOCATOR_BYTES;
    if (locator >= 0 && bytes.get(LittleEndian.INT, locator) == ZIP64_LOCATOR) {
      long zip64 = bytes.get(LittleEndian.LONG, locator + 8);
      requireInside(zip64, ZIP64_END_BYTES);
      if (bytes.get(LittleEndian.INT, zip64) != ZIP64_END) {
        throw corrupt("is a damaged zip file: the end of its directory is not where it should be");
      }
      count = bytes.get(LittleEndian.LONG, zip64 + 32);
      offset = bytes.get(LittleEndian.LONG, zip64 + 48);
    }
    for (long i = 0; i < count; i++) {
      offset = readEntry(offset);
    }
  }

  private long findEnd() {
    long last = bytes.byteSize() - DIRECTORY_END_BYTES;
    for (long at = last; at >= 0 && at >= last - MAX_COMMENT; at--) {
      if (bytes.get(LittleEndian.INT, at) == DIRECTORY_END) {
        return at;
      }
    }
    throw corrupt(
        "is a zip file, as PyTorch writes, without its end: it is cut short; download or copy it"
            + " again");
  }

  /** Returns where the next entry begins. */
  private long readEntry(long at) {
    requireInside(at, DIRECTORY_ENTRY_BYTES);
    if (bytes.get(LittleEndian.INT, at) != DIRECTORY_ENTRY) {
      throw corrupt("is a damaged zip file: no entry of its directory at byte " + at);
    }
    int flags = unsignedShort(at + 8);
    int method = unsignedShort(at + 10);
    int nameLength = unsignedShort(at + 28);
    int extraLength = unsignedShort(at + 30);
    long nameStart = at + DIRECTORY_ENTRY_BYTES;
    long extra = nameStart + nameLength;
    long next = extra + extraLength + unsignedShort(at + 32);
    requireInside(at, next - at);
    long[] numbers = {unsignedInt(at + 24), unsignedInt(at + 20), unsignedInt(at + 42)};
    readZip64(extra, extra + extraLength, numbers);
    String name =
        new String(
            bytes.asSlice(nameStart, nameLength).toArray(ValueLayout.JAVA_BYTE),
            StandardCharsets.UTF_8);
    Entry entry = new Entry(name, flags, method, numbers[1], numbers[0], numbers[2]);
    if (entries.putIfAbsent(name, entry) != null) {
      throw corrupt("has two zip entries " + Description.quoted(name));
    }
    return next;
  }

  /** Replaces what does not fit into 32 bits: size, compressed size and offset, in this order. */
  private void readZip64(long start, long end, long[] numbers) {
    long at = start;
    while (at + 4 <= end) {
      long fieldEnd = at + 4 + unsignedShort(at + 2);
      if (unsignedShort(at) == ZIP64_EXTRA) {
        long number = at + 4;
        for (int i = 0; i < numbers.length; i++) {
          if (numbers[i] == IN_ZIP64 && number + Long.BYTES <= Math.min(fieldEnd, end)) {
            numbers[i] = bytes.get(LittleEndian.LONG, number);
            number += Long.BYTES;
          }
        }
      }
      at = fieldEnd;
    }
  }

  /**
   * The content of an entry.
   *
   * @throws CorruptFileException if there is none, or it is damaged, encrypted or compressed in a
   *     way that PyTorch has never used
   */
  MemorySegment content(String name) {
    Entry entry = entries.get(name);
    if (entry == null) {
      throw corrupt(
          "lacks its entry "
              + Description.quoted(name)
              + ": it was cut, or packed again without it; download or save it again");
    }
    requireInside(entry.header, LOCAL_HEADER_BYTES);
    if (bytes.get(LittleEndian.INT, entry.header) != LOCAL_HEADER) {
      throw corrupt(entry, "is not where the directory says");
    }
    if ((entry.flags & 1) != 0) {
      throw corrupt(entry, "is encrypted; unpack it, and save the network again");
    }
    long start =
        entry.header
            + LOCAL_HEADER_BYTES
            + unsignedShort(entry.header + 26)
            + unsignedShort(entry.header + 28);
    requireInside(start, entry.compressed);
    MemorySegment stored = bytes.asSlice(start, entry.compressed);
    return switch (entry.method) {
      case STORED -> stored;
      case DEFLATED -> inflate(entry, stored);
      default ->
          throw corrupt(
              entry, "is compressed by method " + entry.method + "; save it with torch.save again");
    };
  }

  private MemorySegment inflate(Entry entry, MemorySegment compressed) {
    long most = Math.min(BASE_INFLATED + INFLATED_PER_BYTE * bytes.byteSize(), Integer.MAX_VALUE);
    if (entry.size < 0
        || entry.size > most - inflated
        || compressed.byteSize() > Integer.MAX_VALUE) {
      throw corrupt(
          entry,
          "would be inflated to "
              + Long.toUnsignedString(entry.size)
              + " bytes, too many for this file; save it with torch.save again, which does not"
              + " compress");
    }
    inflated += entry.size;
    byte[] content = new byte[(int) entry.size];
    Inflater inflater = new Inflater(true);
    try {
      inflater.setInput(compressed.asByteBuffer());
      int filled = 0;
      while (filled < content.length) {
        int count = inflater.inflate(content, filled, content.length - filled);
        if (count == 0) {
          throw corrupt(entry, "ends after %d of %d bytes".formatted(filled, content.length));
        }
        filled += count;
      }
      if (inflater.inflate(new byte[1]) != 0) {
        throw corrupt(entry, "has more than its " + content.length + " bytes");
      }
    } catch (DataFormatException e) {
      throw new CorruptFileException(
          file, "its zip entry " + Description.quoted(entry.name) + " is damaged", e);
    } finally {
      inflater.end();
    }
    return MemorySegment.ofArray(content);
  }

  private int unsignedShort(long at) {
    return Short.toUnsignedInt(bytes.get(LittleEndian.SHORT, at));
  }

  private long unsignedInt(long at) {
    return Integer.toUnsignedLong(bytes.get(LittleEndian.INT, at));
  }

  private void requireInside(long start, long count) {
    if (start < 0 || count < 0 || count > bytes.byteSize() - start) {
      throw corrupt(
          "is a damaged zip file: it names %s bytes from byte %s of %d"
              .formatted(
                  Long.toUnsignedString(count), Long.toUnsignedString(start), bytes.byteSize()));
    }
  }

  private CorruptFileException corrupt(Entry entry, String problem) {
    return corrupt("its zip entry " + Description.quoted(entry.name) + " " + problem);
  }

  private CorruptFileException corrupt(String problem) {
    return new CorruptFileException(file, problem);
  }
}
