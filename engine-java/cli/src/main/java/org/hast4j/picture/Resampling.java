package org.hast4j.picture;

import java.util.Arrays;
import org.hast4j.model.Model;
import org.hast4j.model.Resize;

/**
 * Scales pictures and cuts out their middle as torchvision's {@code Resize} and {@code CenterCrop}
 * do on PIL images, to the same bytes: one pass along the rows and one along the columns, weights
 * rounded to 22 bits, 8 bits in between.
 */
final class Resampling {
  private static final int PRECISION = 22;
  private static final int HALF = 1 << PRECISION - 1;
  private static final double CUBIC = -0.5;

  private Resampling() {}

  /**
   * A picture at a network's size.
   *
   * @return [channel][row][column]
   */
  static byte[] resized(Picture picture, Model.Input input, Resize resize) {
    int width = picture.width();
    int height = picture.height();
    switch (resize.extent(input)) {
      case Resize.Squash _ -> {
        width = input.width();
        height = input.height();
      }
      case Resize.ShorterSide(int side) -> {
        boolean upright = width <= height;
        int longer =
            Math.toIntExact((long) side * Math.max(width, height) / Math.min(width, height));
        width = upright ? side : longer;
        height = upright ? longer : side;
      }
    }
    Axis columns =
        Axis.of(
            picture.width(), width, middle(width, input.width()), input.width(), resize.filter());
    Axis rows =
        Axis.of(
            picture.height(),
            height,
            middle(height, input.height()),
            input.height(),
            resize.filter());
    return alongColumns(alongRows(picture, columns, rows), picture.channels(), columns, rows);
  }

  /** Where the middle begins, half pixels rounded to even numbers as Python does. */
  private static int middle(int size, int cut) {
    return (int) Math.rint((size - cut) / 2.0);
  }

  /**
   * What the pixels of a cut along one axis are made of.
   *
   * @param scales whether a pixel is made of others at all
   * @param first for each the first pixel of the source
   * @param weights for each those of the pixels from there, in units of 2^-22; whole pixels where
   *     nothing is scaled
   */
  private record Axis(boolean scales, int[] first, int[][] weights) {

    static Axis of(int source, int scaled, int start, int cut, Resize.Interpolation filter) {
      double scale = (double) source / scaled;
      double stretch = Math.max(scale, 1);
      double support = stretch * radius(filter);
      int[] first = new int[cut];
      int[][] weights = new int[cut][];
      for (int i = 0; i < cut; i++) {
        if (source == scaled) {
          first[i] = start + i;
          weights[i] = new int[] {1 << PRECISION};
          continue;
        }
        double center = (start + i + 0.5) * scale;
        int from = Math.max(0, (int) (center - support + 0.5));
        int to = Math.min(source, (int) (center + support + 0.5));
        double[] exact = new double[to - from];
        double sum = 0;
        for (int k = 0; k < exact.length; k++) {
          exact[k] = value(filter, (k + from - center + 0.5) * (1 / stretch));
          sum += exact[k];
        }
        first[i] = from;
        weights[i] = new int[exact.length];
        for (int k = 0; k < exact.length; k++) {
          double weight = exact[k] / sum * (1 << PRECISION);
          weights[i][k] = (int) (weight + Math.copySign(0.5, weight));
        }
      }
      return new Axis(source != scaled, first, weights);
    }

    private static int radius(Resize.Interpolation filter) {
      return switch (filter) {
        case BILINEAR -> 1;
        case BICUBIC -> 2;
      };
    }

    private static double value(Resize.Interpolation filter, double at) {
      double x = Math.abs(at);
      return switch (filter) {
        case BILINEAR -> Math.max(0, 1 - x);
        case BICUBIC ->
            x < 1
                ? ((CUBIC + 2) * x - (CUBIC + 3)) * x * x + 1
                : x < 2 ? (((x - 5) * x + 8) * x - 4) * CUBIC : 0;
      };
    }

    int count() {
      return first.length;
    }

    /** The first pixel of the source that anything is made of. */
    int begin() {
      return first[0];
    }

    /** The pixel behind the last. */
    int end() {
      return first[count() - 1] + weights[count() - 1].length;
    }
  }

  /** The rows that are needed, scaled: [row][column][channel]. */
  private static byte[] alongRows(Picture picture, Axis columns, Axis rows) {
    int channels = picture.channels();
    byte[] source = picture.pixels();
    int stride = columns.count() * channels;
    byte[] scaled = new byte[Math.multiplyExact(rows.end() - rows.begin(), stride)];
    for (int y = rows.begin(); y < rows.end(); y++) {
      int row = y * picture.width() * channels;
      int target = (y - rows.begin()) * stride;
      if (!columns.scales()) {
        System.arraycopy(source, row + columns.begin() * channels, scaled, target, stride);
        continue;
      }
      for (int x = 0; x < columns.count(); x++) {
        int[] weights = columns.weights[x];
        int first = row + columns.first[x] * channels;
        for (int c = 0; c < channels; c++) {
          int sum = HALF;
          int at = first + c;
          for (int weight : weights) {
            sum += Byte.toUnsignedInt(source[at]) * weight;
            at += channels;
          }
          scaled[target++] = rounded(sum);
        }
      }
    }
    return scaled;
  }

  /** A row at a time, which processors do many values of at once. */
  private static byte[] alongColumns(byte[] scaled, int channels, Axis columns, Axis rows) {
    int width = columns.count();
    int stride = width * channels;
    int area = width * rows.count();
    byte[] planes = new byte[area * channels];
    int[] sums = new int[stride];
    for (int y = 0; y < rows.count(); y++) {
      Arrays.fill(sums, HALF);
      int row = (rows.first[y] - rows.begin()) * stride;
      for (int weight : rows.weights[y]) {
        for (int i = 0; i < stride; i++) {
          sums[i] += (scaled[row + i] & 0xFF) * weight;
        }
        row += stride;
      }
      for (int c = 0; c < channels; c++) {
        int target = c * area + y * width;
        for (int x = 0; x < width; x++) {
          planes[target + x] = rounded(sums[x * channels + c]);
        }
      }
    }
    return planes;
  }

  private static byte rounded(int sum) {
    return (byte) Math.clamp(sum >> PRECISION, 0, 255);
  }
}
