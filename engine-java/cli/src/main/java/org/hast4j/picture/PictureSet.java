package org.hast4j.picture;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.IntConsumer;
import org.hast4j.data.ImageSet;
import org.hast4j.data.LabeledImages;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Resize;

/**
 * Pictures in files, decoded when they are asked for, on all processors, and some in advance: while
 * a network computes a batch, the next one is decoded. So a set may be larger than memory. For one
 * caller at a time, who goes through it in order.
 */
public final class PictureSet implements LabeledImages {
  private final List<Path> files;
  private final int[] labels;
  private final int classes;
  private final Model.Input input;
  private final Resize resize;
  // What is being decoded, by number; bounded by what a caller takes at a time.
  private final Map<Integer, FutureTask<byte[]>> decoding = new HashMap<>();

  /**
   * @param resize how the pictures get the network's size
   * @throws RefusedException if the network takes neither gray images nor colours
   */
  public PictureSet(LabeledFiles labeled, Model model, Resize resize) {
    input = model.input();
    if (input.channels() != 1 && input.channels() != 3) {
      throw new RefusedException(
          "%s takes images of %d channels, pictures have 1 or 3"
              .formatted(model.name(), input.channels()));
    }
    resize.check(input);
    this.files = labeled.files();
    this.labels = labeled.labels();
    this.classes = model.classes();
    this.resize = resize;
  }

  @Override
  public int count() {
    return files.size();
  }

  @Override
  public int classes() {
    return classes;
  }

  @Override
  public int channels() {
    return input.channels();
  }

  @Override
  public int height() {
    return input.height();
  }

  @Override
  public int width() {
    return input.width();
  }

  @Override
  public int label(int image) {
    return labels[image];
  }

  /** Bytes of the whole set in memory. */
  public long bytes() {
    return (long) count() * imageSize();
  }

  /**
   * {@inheritDoc}
   *
   * @throws CorruptFileException naming a file that is damaged or no picture
   */
  @Override
  public void normalize(int from, int to, Normalization normalization, float[] out) {
    if (normalization.channels() != channels()) {
      throw new RefusedException(
          "the images have %d channels, the normalization has %d"
              .formatted(channels(), normalization.channels()));
    }
    Objects.checkFromIndexSize(0, Math.multiplyExact(to - from, imageSize()), out.length);
    float[][] table = normalization.table();
    int channels = channels();
    int area = height() * width();
    decoded(
        from,
        to,
        (image, pixels) -> {
          for (int c = 0; c < channels; c++) {
            float[] values = table[c];
            int target = (image - from) * area * channels + c;
            for (int i = 0; i < area; i++) {
              out[target + i * channels] = values[Byte.toUnsignedInt(pixels[c * area + i])];
            }
          }
        });
  }

  /**
   * The whole set in memory.
   *
   * @param progress hears how many images are done
   * @throws RefusedException if it is more than one array holds
   * @throws CorruptFileException naming a file that is damaged or no picture
   */
  public ImageSet decoded(IntConsumer progress) {
    if (bytes() > Integer.MAX_VALUE) {
      throw new RefusedException(
          "%d images of %d bytes are too many: at most %d fit"
              .formatted(count(), imageSize(), Integer.MAX_VALUE / imageSize()));
    }
    byte[] all = new byte[(int) bytes()];
    int part = Runtime.getRuntime().availableProcessors();
    for (int start = 0; start < count(); start += part) {
      int end = Math.min(count(), start + part);
      decoded(
          start,
          end,
          (image, pixels) -> System.arraycopy(pixels, 0, all, image * imageSize(), pixels.length));
      progress.accept(end);
    }
    return new ImageSet(classes, channels(), height(), width(), labels.clone(), all);
  }

  @FunctionalInterface
  private interface Receiver {
    /**
     * @param pixels [channel][row][column]
     */
    void take(int image, byte[] pixels);
  }

  private void decoded(int from, int to, Receiver receiver) {
    Objects.checkFromToIndex(from, to, count());
    // As many again are decoded in advance, and enough to give every processor one.
    int ahead = Math.max(to - from, Runtime.getRuntime().availableProcessors());
    int until = (int) Math.min(count(), (long) to + ahead);
    decoding.keySet().removeIf(image -> image < from || image >= until);
    for (int image = from; image < until; image++) {
      decoding.computeIfAbsent(image, this::start);
    }
    for (int image = from; image < to; image++) {
      receiver.take(image, result(decoding.remove(image)));
    }
  }

  /** Threads of the runtime's own: as many as processors, and none to be ended. */
  private FutureTask<byte[]> start(int image) {
    Path file = files.get(image);
    FutureTask<byte[]> task =
        new FutureTask<>(
            () -> Resampling.resized(Picture.read(file, input.channels()), input, resize));
    Thread.startVirtualThread(task);
    return task;
  }

  private static byte[] result(FutureTask<byte[]> task) {
    try {
      return task.get();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case RuntimeException known -> throw known;
        case Error error -> throw error;
        case Throwable other -> throw new IllegalStateException(other);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while pictures were decoded", e);
    }
  }
}
