package org.hast4j.hast;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.hast4j.exec.Memory;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.tensor.Shape;

/**
 * Synthetic images in a safetensors file: images [count, c, h, w] as PyTorch wants them,
 * normalised, and labels.
 */
final class SyntheticSet {
  private static final String IMAGES = "images";
  private static final String LABELS = "labels";
  private static final String MEAN = "mean";
  private static final String STD = "std";

  private SyntheticSet() {}

  static void write(
      Path file, Memory memory, DataSet dataSet, Network teacher, String sourceSha256) {
    Shape nhwc = dataSet.imageType().shape();
    Shape nchw = Shape.of(nhwc.size(0), nhwc.size(3), nhwc.size(1), nhwc.size(2));
    Shape one = Shape.of(1, nhwc.size(1), nhwc.size(2), nhwc.size(3));
    int size = Math.toIntExact(one.elements());
    int[] labels = new int[dataSet.count()];
    memory.buffer(dataSet.labels()).download(0, labels);
    Normalization normalization = teacher.normalization();
    new SafetensorsWriter()
        .metadata("source_sha256", sourceSha256)
        .metadata(MEAN, Arrays.toString(normalization.mean()))
        .metadata(STD, Arrays.toString(normalization.std()))
        .putFloatParts(
            IMAGES, nchw, size, image -> Checkpoint.toOihw(dataSet.pixels(memory, image, 1), one))
        .put(LABELS, Shape.of(labels.length), labels)
        .write(file);
  }

  /**
   * Number of images in a file, after checking that they are a network's.
   *
   * @throws CorruptFileException if images or labels are not what the network takes
   * @throws RefusedException if the images are normalised for another network
   */
  static int count(Path file, Network network) {
    Safetensors set = Safetensors.read(file);
    Model model = network.model();
    Shape shape = set.tensor(IMAGES).shape();
    if (shape.rank() != 4) {
      throw new CorruptFileException(
          file, "its images are %s, not [count, c, h, w]".formatted(shape));
    }
    Shape expected =
        Shape.of(
            shape.size(0), model.input().channels(), model.input().height(), model.input().width());
    if (!shape.equals(expected)) {
      throw new CorruptFileException(
          file, "its images are %s, %s takes %s".formatted(shape, model.name(), expected));
    }
    long[] labels = set.tensor(LABELS).longs();
    if (labels.length != shape.size(0)) {
      throw new CorruptFileException(
          file, "it holds %d labels for %d images".formatted(labels.length, shape.size(0)));
    }
    for (long label : labels) {
      if (label < 0 || label >= model.classes()) {
        throw new CorruptFileException(
            file,
            "label %d is not among the %d classes of %s"
                .formatted(label, model.classes(), model.name()));
      }
    }
    Normalization normalization = network.normalization();
    same(file, set, MEAN, normalization.mean());
    same(file, set, STD, normalization.std());
    return Math.toIntExact(shape.size(0));
  }

  private static void same(Path file, Safetensors set, String key, float[] expected) {
    String found = set.metadata().get(key);
    if (found != null && !found.equals(Arrays.toString(expected))) {
      throw new RefusedException(
          "the images in %s are normalised by the %s %s, the network by %s: synthesise them from this network"
              .formatted(file, key, found, Arrays.toString(expected)));
    }
  }

  /**
   * Number of images in several files together, each checked like {@link #count(Path, Network)}.
   */
  static int count(List<Path> files, Network network) {
    return Math.toIntExact(files.stream().mapToLong(file -> count(file, network)).sum());
  }

  /** Reads files one after the other into a data set for all of their images. */
  static void read(List<Path> files, Network network, Memory memory, DataSet dataSet) {
    int start = 0;
    for (Path file : files) {
      start += read(file, network, memory, dataSet, start);
    }
    if (start != dataSet.count()) {
      throw new CorruptFileException(
          files.getLast(), "it ends at image %d of %d".formatted(start, dataSet.count()));
    }
  }

  private static int read(Path file, Network network, Memory memory, DataSet dataSet, int start) {
    int count = count(file, network);
    if (start + count > dataSet.count()) {
      throw new CorruptFileException(
          file, "it holds %d images instead of %d".formatted(count, dataSet.count() - start));
    }
    Safetensors set = Safetensors.read(file);
    Safetensors.Tensor images = set.tensor(IMAGES);
    int size = Math.toIntExact(images.shape().elements() / count);
    for (int image = 0; image < count; image++) {
      float[] pixels = images.floats((long) image * size, size);
      for (int i = 0; i < size; i++) {
        if (!Float.isFinite(pixels[i])) {
          throw new CorruptFileException(
              file, "image %d holds %s at index %d".formatted(image, pixels[i], i));
        }
      }
      memory
          .buffer(dataSet.images())
          .upload(
              (long) (start + image) * size * Float.BYTES,
              Checkpoint.toOhwi(pixels, images.shape()));
    }
    long[] labels = set.tensor(LABELS).longs();
    memory
        .buffer(dataSet.labels())
        .upload(
            (long) start * Integer.BYTES,
            Arrays.stream(labels).mapToInt(Math::toIntExact).toArray());
    return count;
  }
}
