package org.hast4j.picture;

import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBufferByte;
import java.awt.image.IndexColorModel;
import java.awt.image.PixelInterleavedSampleModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.UnreadableFileException;

/**
 * A decoded picture, 8 bits a value, as PIL's {@code convert("RGB")} or {@code convert("L")} gives
 * it: gray is repeated or weighed, transparency is dropped, of 16 bits the upper 8 stay, and
 * neither a colour profile nor an orientation is applied.
 *
 * @param channels 1 (gray) or 3 (red, green, blue)
 * @param pixels unsigned values, [row][column][channel]
 */
record Picture(int width, int height, int channels, byte[] pixels) {
  /** PIL's bound against files that unpack to more than any machine has. */
  private static final long MOST_PIXELS = 178_956_970;

  private static final int RGB = 3;

  /**
   * Decodes a file.
   *
   * @param channels to have, 1 or 3
   * @throws CorruptFileException if it is damaged, truncated or no picture
   * @throws UnreadableFileException if it cannot be read
   */
  static Picture read(Path file, int channels) {
    byte[] bytes;
    try {
      bytes = Files.readAllBytes(file);
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    }
    try {
      return decoded(bytes).as(channels);
    } catch (IOException | RuntimeException e) {
      // Readers throw whatever a damaged file leads to.
      String why = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
      throw new CorruptFileException(file, "it cannot be read as an image: " + why, e);
    }
  }

  private static Picture decoded(byte[] bytes) throws IOException {
    boolean jpeg = bytes.length > 1 && bytes[0] == (byte) 0xFF && bytes[1] == (byte) 0xD8;
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes))) {
      Iterator<ImageReader> readers =
          jpeg ? ImageIO.getImageReadersByFormatName("jpeg") : ImageIO.getImageReaders(in);
      if (!readers.hasNext()) {
        throw new IOException("it is no image that is known here, whatever its name");
      }
      ImageReader reader = readers.next();
      try {
        reader.setInput(in, true, true);
        long size = (long) reader.getWidth(0) * reader.getHeight(0);
        if (size > MOST_PIXELS) {
          throw new IOException(
              "it has %d pixels, at most %d are read".formatted(size, MOST_PIXELS));
        }
        if (jpeg) {
          JpegHeader header = JpegHeader.parse(bytes);
          return ofJpeg(reader.readRaster(0, null), header.colors());
        }
        reader.addIIOReadWarningListener(
            (_, warning) -> {
              throw new IllegalArgumentException(warning);
            });
        return of(reader.read(0));
      } finally {
        reader.dispose();
      }
    }
  }

  private static Picture of(BufferedImage image) {
    ColorModel model = image.getColorModel();
    boolean samples =
        model instanceof ComponentColorModel && model.getComponentSize(0) % Byte.SIZE == 0;
    if (samples) {
      return ofSamples(image.getRaster(), model.getComponentSize(0) - Byte.SIZE);
    }
    int width = image.getWidth();
    int height = image.getHeight();
    byte[] pixels = new byte[Math.multiplyExact(width * RGB, height)];
    int[] row = new int[width];
    for (int y = 0; y < height; y++) {
      if (model instanceof IndexColorModel palette) {
        image.getRaster().getSamples(0, y, width, 1, 0, row);
        for (int x = 0; x < width; x++) {
          row[x] = palette.getRGB(row[x]);
        }
      } else {
        image.getRGB(0, y, width, 1, row, 0, width);
      }
      for (int x = 0; x < width; x++) {
        int at = (y * width + x) * RGB;
        pixels[at] = (byte) (row[x] >> 16);
        pixels[at + 1] = (byte) (row[x] >> 8);
        pixels[at + 2] = (byte) row[x];
      }
    }
    return new Picture(width, height, RGB, pixels);
  }

  /** Gray or colours, the first one or three of the bands; what follows is transparency. */
  private static Picture ofSamples(Raster raster, int shift) {
    int channels = raster.getNumBands() < RGB ? 1 : RGB;
    int width = raster.getWidth();
    int height = raster.getHeight();
    byte[] pixels = new byte[Math.multiplyExact(width * channels, height)];
    int bands = raster.getNumBands();
    int[] row = new int[width * bands];
    for (int y = 0; y < height; y++) {
      raster.getPixels(raster.getMinX(), raster.getMinY() + y, width, 1, row);
      for (int x = 0; x < width; x++) {
        for (int c = 0; c < channels; c++) {
          pixels[(y * width + x) * channels + c] = (byte) (row[x * bands + c] >> shift);
        }
      }
    }
    return new Picture(width, height, channels, pixels);
  }

  private static Picture ofJpeg(Raster raster, JpegHeader.Colors colors) {
    int width = raster.getWidth();
    int height = raster.getHeight();
    byte[] stored = interleaved(raster);
    int area = width * height;
    return switch (colors) {
      case GRAY -> new Picture(width, height, 1, stored);
      case RGB -> new Picture(width, height, RGB, stored);
      case YCC -> {
        toRgb(stored, RGB);
        yield new Picture(width, height, RGB, stored);
      }
      case CMYK -> new Picture(width, height, RGB, inked(stored, area));
      case YCCK -> {
        toRgb(stored, 4);
        // The colours of YCCK are those of light: ink is their opposite.
        for (int i = 0; i < area; i++) {
          for (int c = 0; c < RGB; c++) {
            stored[4 * i + c] = (byte) ~stored[4 * i + c];
          }
        }
        yield new Picture(width, height, RGB, inked(stored, area));
      }
    };
  }

  private static byte[] interleaved(Raster raster) {
    int bands = raster.getNumBands();
    int values = raster.getWidth() * raster.getHeight() * bands;
    if (raster.getDataBuffer() instanceof DataBufferByte buffer
        && raster.getSampleModel() instanceof PixelInterleavedSampleModel model
        && model.getPixelStride() == bands
        && buffer.getData().length == values
        && isAscending(model.getBandOffsets())) {
      return buffer.getData();
    }
    int[] samples = raster.getPixels(0, 0, raster.getWidth(), raster.getHeight(), (int[]) null);
    byte[] bytes = new byte[values];
    for (int i = 0; i < values; i++) {
      bytes[i] = (byte) samples[i];
    }
    return bytes;
  }

  private static boolean isAscending(int[] offsets) {
    for (int i = 0; i < offsets.length; i++) {
      if (offsets[i] != i) {
        return false;
      }
    }
    return true;
  }

  /** Luminance and differences of colour to colours, in place, in libjpeg's 16-bit arithmetic. */
  private static void toRgb(byte[] pixels, int stride) {
    for (int i = 0; i < pixels.length; i += stride) {
      int y = Byte.toUnsignedInt(pixels[i]);
      int cb = Byte.toUnsignedInt(pixels[i + 1]) - 128;
      int cr = Byte.toUnsignedInt(pixels[i + 2]) - 128;
      pixels[i] = clamped(y + (91881 * cr + 32768 >> 16));
      pixels[i + 1] = clamped(y + (-22554 * cb - 46802 * cr + 32768 >> 16));
      pixels[i + 2] = clamped(y + (116130 * cb + 32768 >> 16));
    }
  }

  /**
   * Inverted cyan, magenta, yellow and black to light: each colour is what its ink and black leave.
   */
  private static byte[] inked(byte[] inverted, int area) {
    byte[] rgb = new byte[area * RGB];
    for (int i = 0; i < area; i++) {
      int light = Byte.toUnsignedInt(inverted[4 * i + 3]);
      for (int c = 0; c < RGB; c++) {
        int ink = 255 - Byte.toUnsignedInt(inverted[4 * i + c]);
        int product = ink * light + 128;
        rgb[i * RGB + c] = clamped(light - ((product >> 8) + product >> 8));
      }
    }
    return rgb;
  }

  private static byte clamped(int value) {
    return (byte) Math.clamp(value, 0, 255);
  }

  private Picture as(int wanted) {
    if (wanted == channels) {
      return this;
    }
    int area = width * height;
    byte[] others = new byte[Math.multiplyExact(area, wanted)];
    for (int i = 0; i < area; i++) {
      if (wanted == 1) {
        int red = Byte.toUnsignedInt(pixels[RGB * i]);
        int green = Byte.toUnsignedInt(pixels[RGB * i + 1]);
        int blue = Byte.toUnsignedInt(pixels[RGB * i + 2]);
        others[i] = (byte) (red * 19595 + green * 38470 + blue * 7471 + 32768 >> 16);
      } else {
        for (int c = 0; c < RGB; c++) {
          others[RGB * i + c] = pixels[i];
        }
      }
    }
    return new Picture(width, height, wanted, others);
  }
}
