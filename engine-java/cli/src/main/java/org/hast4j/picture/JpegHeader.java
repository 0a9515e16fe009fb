package org.hast4j.picture;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * What a JPEG file says of its colours, interpreted as libjpeg does, for a reader that hands out
 * the components as they are stored. Walks all segments, so it also knows whether the file is
 * whole.
 *
 * @param colors of the stored components
 */
record JpegHeader(Colors colors) {
  private static final int START = 0xD8;
  private static final int END = 0xD9;
  private static final int SCAN = 0xDA;
  private static final int APP0 = 0xE0;
  private static final int APP14 = 0xEE;

  /** What the components stand for. */
  enum Colors {
    GRAY,
    RGB,
    /** Luminance and two differences of colour. */
    YCC,
    /** Inverted, as all programs write it. */
    CMYK,
    /** The first three of inverted CMYK as luminance and differences of colour. */
    YCCK
  }

  /**
   * Reads the segments of a file.
   *
   * @throws IllegalArgumentException saying what is wrong
   */
  static JpegHeader parse(byte[] file) {
    if (file.length < 2 || at(file, 0) != 0xFF || at(file, 1) != START) {
      throw new IllegalArgumentException("it does not begin like a JPEG");
    }
    byte[] components = null;
    boolean jfif = false;
    int adobe = -1;
    for (int at = marker(file, 2); ; ) {
      int type = at(file, at);
      if (type == END) {
        break;
      }
      int length = at(file, at + 1) << 8 | at(file, at + 2);
      int content = at + 3;
      int next = at + 1 + length;
      if (length < 2 || next > file.length) {
        throw truncated();
      }
      if (isFrame(type)) {
        components = components(file, content, next);
      } else if (type == APP0 && begins(file, content, next, "JFIF")) {
        jfif = true;
      } else if (type == APP14 && next - content >= 12 && begins(file, content, next, "Adobe")) {
        adobe = at(file, content + 11);
      }
      at = marker(file, type == SCAN ? endOfScan(file, next) : next);
    }
    if (components == null) {
      throw new IllegalArgumentException("it is a JPEG without a picture");
    }
    return new JpegHeader(colors(components, jfif, adobe));
  }

  /** Place of the next marker's type: fill bytes and what is between segments are passed over. */
  private static int marker(byte[] file, int from) {
    int at = from;
    while (at(file, at) != 0xFF) {
      at++;
    }
    while (at(file, at) == 0xFF) {
      at++;
    }
    return at(file, at) == 0 ? marker(file, at + 1) : at;
  }

  /** Place of the first marker behind coded data, which restarts and stuffed bytes do not end. */
  private static int endOfScan(byte[] file, int from) {
    for (int at = from; at + 1 < file.length; at++) {
      if (file[at] == (byte) 0xFF) {
        int next = at(file, at + 1);
        if (next != 0 && next != 0xFF && (next < 0xD0 || next > 0xD7)) {
          return at;
        }
      }
    }
    throw truncated();
  }

  private static boolean isFrame(int type) {
    return type >= 0xC0 && type <= 0xCF && type != 0xC4 && type != 0xC8 && type != 0xCC;
  }

  private static byte[] components(byte[] file, int content, int end) {
    int count = at(file, content + 5);
    if (content + 6 + 3 * count > end) {
      throw new IllegalArgumentException(
          "its frame is too short for %d components".formatted(count));
    }
    byte[] components = new byte[count];
    for (int i = 0; i < count; i++) {
      components[i] = file[content + 6 + 3 * i];
    }
    return components;
  }

  private static Colors colors(byte[] components, boolean jfif, int adobe) {
    return switch (components.length) {
      case 1 -> Colors.GRAY;
      case 3 -> {
        boolean named = Arrays.equals(components, new byte[] {'R', 'G', 'B'});
        yield !jfif && (adobe == 0 || adobe < 0 && named) ? Colors.RGB : Colors.YCC;
      }
      case 4 -> adobe <= 0 ? Colors.CMYK : Colors.YCCK;
      default ->
          throw new IllegalArgumentException(
              "it has %d components: neither gray nor colours".formatted(components.length));
    };
  }

  private static boolean begins(byte[] file, int from, int end, String text) {
    byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
    int until = from + bytes.length;
    return until <= end && Arrays.equals(file, from, until, bytes, 0, bytes.length);
  }

  private static int at(byte[] file, int index) {
    if (index >= file.length) {
      throw truncated();
    }
    return Byte.toUnsignedInt(file[index]);
  }

  private static IllegalArgumentException truncated() {
    return new IllegalArgumentException("it is truncated");
  }
}
