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
  /** A pool for {@code count} images of a network's input size. */
  public static Pool of(Topology topology, int count) {
    TensorType type =
        TensorType.f32(count, topology.height(), topology.width(), topology.channels());
    return new Pool(
        Storage.of("image pool", type), Storage.of("label pool", TensorType.i32(count)), type);
  }

  public int count() {
    return Math.toIntExact(imageType.shape().size(0));
  }
}
