package org.hast4j.hast;

import java.nio.file.Path;
import java.util.Arrays;
import org.hast4j.data.Normalization;
import org.hast4j.exec.Memory;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.nn.Topology;
import org.hast4j.tensor.Shape;

/** Synthetic images in a safetensors file: images [count, c, h, w] as PyTorch wants them, normalised, and labels. */
final class SyntheticSet {
  private static final String IMAGES = "images";
  private static final String LABELS = "labels";

  private SyntheticSet() {}

  static void write(Path file, Memory memory, Pool pool, Network teacher, String sourceSha256) {
    Shape nhwc = pool.imageType().shape();
    Shape nchw = Shape.of(nhwc.size(0), nhwc.size(3), nhwc.size(1), nhwc.size(2));
    int[] labels = new int[pool.count()];
    memory.buffer(pool.labels()).download(0, labels);
    Normalization normalization = teacher.normalization();
    new Safetensors.Writer()
        .metadata("source_sha256", sourceSha256)
        .metadata("mean", Arrays.toString(normalization.mean()))
        .metadata("std", Arrays.toString(normalization.std()))
        .put(IMAGES, nchw, Checkpoint.toOihw(memory.floats(pool.images()), nhwc))
        .put(LABELS, Shape.of(labels.length), labels)
        .write(file);
  }

  /** Number of images in a file, after checking that a network can take them. */
  static int count(Path file, Topology topology) {
    Shape shape = Safetensors.read(file).tensor(IMAGES).shape();
    Shape expected =
        Shape.of(shape.size(0), topology.channels(), topology.height(), topology.width());
    if (!shape.equals(expected)) {
      throw new CorruptFileException(
          file, "its images are %s, %s takes %s".formatted(shape, topology.name(), expected));
    }
    return Math.toIntExact(shape.size(0));
  }

  static void read(Path file, Memory memory, Pool pool) {
    Safetensors set = Safetensors.read(file);
    Safetensors.Tensor images = set.tensor(IMAGES);
    float[] pixels = images.floats();
    for (int i = 0; i < pixels.length; i++) {
      if (!Float.isFinite(pixels[i])) {
        throw new CorruptFileException(file, "its images hold %s at index %d".formatted(pixels[i], i));
      }
    }
    memory.buffer(pool.images()).upload(0, Checkpoint.toOhwi(pixels, images.shape()));
    long[] labels = set.tensor(LABELS).longs();
    memory.buffer(pool.labels()).upload(0, Arrays.stream(labels).mapToInt(Math::toIntExact).toArray());
  }
}
