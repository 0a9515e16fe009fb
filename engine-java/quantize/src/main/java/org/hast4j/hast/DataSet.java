package org.hast4j.hast;

import org.hast4j.data.ImageSet;
import org.hast4j.exec.Memory;
import org.hast4j.failure.RefusedException;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Parameters;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;

/**
 * Images on the device to draw batches from: the synthetic set, or real ones.
 *
 * @param images [count, h, w, c], normalised
 * @param labels [count]
 */
record DataSet(Storage images, Storage labels, TensorType imageType) {
  private static final int UPLOAD_CHUNK = 1000;
  // 256 MiB: less than what any later stage takes of a network that large.
  private static final long KEPT_FLOATS = 1L << 26;

  /**
   * A data set for {@code count} images of a network's input size.
   *
   * @throws RefusedException if that is more than fits into one array
   */
  public static DataSet of(Model model, int count) {
    long size = model.input().size();
    if (count * size > Integer.MAX_VALUE) {
      throw new RefusedException(
          "%d images of %dx%dx%d are too many: at most %d of them fit"
              .formatted(
                  count,
                  model.input().height(),
                  model.input().width(),
                  model.input().channels(),
                  Integer.MAX_VALUE / size));
    }
    TensorType type = Forward.images(model, count);
    return new DataSet(
        Storage.of("image pool", type), Storage.of("label pool", TensorType.i32(count)), type);
  }

  /** Fills the data set with real images, normalised a chunk at a time, and their labels. */
  void upload(Memory memory, ImageSet set, Normalization normalization) {
    for (int start = 0; start < set.count(); start += UPLOAD_CHUNK) {
      int end = Math.min(set.count(), start + UPLOAD_CHUNK);
      memory
          .buffer(images)
          .upload(
              (long) start * set.imageSize() * Float.BYTES,
              set.normalized(start, end, normalization));
    }
    memory.buffer(labels).upload(0, set.labels());
  }

  /**
   * Labels the images with the classes that a network gives them.
   *
   * @throws RefusedException if it gives one none
   */
  void label(Memory memory, Parameters network) {
    Model model = network.model();
    int part = Evaluation.batch(model);
    int[] classes = new int[count()];
    try (Evaluation evaluation = Evaluation.of(memory, network)) {
      for (int start = 0; start < classes.length; start += part) {
        int n = Math.min(part, classes.length - start);
        float[] logits = evaluation.logits(pixels(memory, start, n), n);
        for (int i = 0; i < n; i++) {
          int label = Evaluation.argmax(logits, i * model.classes(), model.classes());
          if (label < 0) {
            throw new RefusedException(
                "%s gives image %d no class: a logit of it is no number"
                    .formatted(model.name(), start + i));
          }
          classes[start + i] = label;
        }
      }
    }
    memory.buffer(labels).upload(0, classes);
  }

  /** Some of the images, copied to the host. */
  float[] pixels(Memory memory, int first, int some) {
    int size = Math.toIntExact(imageType.shape().elements() / count());
    float[] pixels = new float[some * size];
    memory.buffer(images).download((long) first * size * Float.BYTES, pixels);
    return pixels;
  }

  /** The first {@code count} images. */
  DataSet first(int count) {
    return new DataSet(
        images,
        labels,
        TensorType.f32(
            count,
            imageType.shape().size(1),
            imageType.shape().size(2),
            imageType.shape().size(3)));
  }

  /**
   * How many of the first images to compute at once for a statistic of them.
   *
   * @param most that are worth it
   * @param floats that are kept of each
   */
  int some(int most, long floats) {
    return (int) Math.clamp(KEPT_FLOATS / floats, 1L, Math.min(most, count()));
  }

  public int count() {
    return Math.toIntExact(imageType.shape().size(0));
  }
}
