package org.hast4j.data;

import org.hast4j.failure.RefusedException;
import org.hast4j.model.Normalization;

/** Labelled images of one size, as a network takes them a batch at a time, in their order. */
public interface LabeledImages {
  int count();

  /** Number of classes: labels are below it. */
  int classes();

  int channels();

  int height();

  int width();

  int label(int image);

  /** Values in one image: channels x height x width. */
  default int imageSize() {
    return Math.multiplyExact(Math.multiplyExact(channels(), height()), width());
  }

  /**
   * Puts the images {@code from} (inclusive) to {@code to} (exclusive) as a network takes them,
   * NHWC, into the beginning of an array.
   *
   * @throws IndexOutOfBoundsException if the range leaves the set or the array is too short
   * @throws RefusedException if the normalization is for another number of channels, or an image
   *     cannot be read
   */
  void normalize(int from, int to, Normalization normalization, float[] out);
}
