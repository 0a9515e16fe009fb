package org.hast4j.data;

import java.nio.ByteBuffer;
import java.util.Objects;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.Sha256;
import org.hast4j.model.Normalization;

/**
 * Labelled 8-bit images of one size. Immutable, and light: the images stay bytes until a batch of
 * them is normalized.
 */
public final class ImageSet implements LabeledImages {
  private final int classes;
  private final int channels;
  private final int height;
  private final int width;
  private final int[] labels;
  private final byte[] pixels;

  /**
   * Takes over both arrays: the caller must not touch them again.
   *
   * @param labels one per image, from 0 to {@code classes - 1}
   * @param pixels unsigned values, [image][channel][row][column]
   * @throws IllegalArgumentException if the sizes do not fit together or a label is out of range
   */
  public ImageSet(int classes, int channels, int height, int width, int[] labels, byte[] pixels) {
    if (classes < 1 || channels < 1 || height < 1 || width < 1) {
      throw new IllegalArgumentException(
          "classes, channels, height and width must be at least 1, got %d, %d, %d, %d"
              .formatted(classes, channels, height, width));
    }
    long expected = (long) labels.length * channels * height * width;
    if (pixels.length != expected) {
      throw new IllegalArgumentException(
          "%d images of %d x %d x %d need %d bytes, got %d"
              .formatted(labels.length, channels, height, width, expected, pixels.length));
    }
    for (int i = 0; i < labels.length; i++) {
      if (labels[i] < 0 || labels[i] >= classes) {
        throw new IllegalArgumentException(
            "label %d of image %d is not among %d classes".formatted(labels[i], i, classes));
      }
    }
    this.classes = classes;
    this.channels = channels;
    this.height = height;
    this.width = width;
    this.labels = labels;
    this.pixels = pixels;
  }

  @Override
  public int count() {
    return labels.length;
  }

  @Override
  public int classes() {
    return classes;
  }

  @Override
  public int channels() {
    return channels;
  }

  @Override
  public int height() {
    return height;
  }

  @Override
  public int width() {
    return width;
  }

  @Override
  public int label(int image) {
    return labels[image];
  }

  /** The labels of all images, copied. */
  public int[] labels() {
    return labels.clone();
  }

  /** The unsigned value of one pixel, 0 to 255. */
  public int pixel(int image, int channel, int row, int column) {
    Objects.checkIndex(channel, channels);
    Objects.checkIndex(row, height);
    Objects.checkIndex(column, width);
    Objects.checkIndex(image, labels.length);
    return Byte.toUnsignedInt(
        pixels[((image * channels + channel) * height + row) * width + column]);
  }

  /** Checksum of sizes, labels and pixels: equal sets have equal ones. */
  public String sha256() {
    ByteBuffer head = ByteBuffer.allocate((4 + labels.length) * Integer.BYTES);
    head.putInt(classes).putInt(channels).putInt(height).putInt(width);
    head.asIntBuffer().put(labels);
    return Sha256.of(head.array(), pixels);
  }

  /**
   * The images {@code from} (inclusive) to {@code to} (exclusive) as a network takes them: NHWC.
   *
   * @throws IndexOutOfBoundsException if the range leaves the set
   * @throws RefusedException if the normalization is for another number of channels
   */
  public float[] normalized(int from, int to, Normalization normalization) {
    Objects.checkFromToIndex(from, to, labels.length);
    float[] out = new float[Math.multiplyExact(to - from, imageSize())];
    normalize(from, to, normalization, out);
    return out;
  }

  @Override
  public void normalize(int from, int to, Normalization normalization, float[] out) {
    Objects.checkFromToIndex(from, to, labels.length);
    if (normalization.channels() != channels) {
      throw new RefusedException(
          "the images have %d channels, the normalization has %d"
              .formatted(channels, normalization.channels()));
    }
    Objects.checkFromIndexSize(0, Math.multiplyExact(to - from, imageSize()), out.length);
    float[][] table = normalization.table();
    int area = height * width;
    for (int image = from; image < to; image++) {
      for (int c = 0; c < channels; c++) {
        int source = (image * channels + c) * area;
        int target = (image - from) * area * channels + c;
        float[] values = table[c];
        for (int i = 0; i < area; i++) {
          out[target + i * channels] = values[Byte.toUnsignedInt(pixels[source + i])];
        }
      }
    }
  }
}
