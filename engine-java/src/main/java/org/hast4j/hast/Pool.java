package org.hast4j.hast;

import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.nn.Topology;

/**
 * Images on the device to draw batches from: the synthetic set, or real ones.
 *
 * @param images [count, h, w, c], normalised
 * @param labels [count]
 */
public record Pool(Storage images, Storage labels, TensorType imageType) {
  /**
   * A pool for {@code count} images of a network's input size.
   *
   * @throws IllegalArgumentException if that is more than fits into one array
   */
  public static Pool of(Topology topology, int count) {
    long size = (long) topology.height() * topology.width() * topology.channels();
    if (count * size > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "%d images of %dx%dx%d are too many: at most %d of them fit"
              .formatted(
                  count,
                  topology.height(),
                  topology.width(),
                  topology.channels(),
                  Integer.MAX_VALUE / size));
    }
    TensorType type =
        TensorType.f32(count, topology.height(), topology.width(), topology.channels());
    return new Pool(
        Storage.of("image pool", type), Storage.of("label pool", TensorType.i32(count)), type);
  }

  public int count() {
    return Math.toIntExact(imageType.shape().size(0));
  }
}
