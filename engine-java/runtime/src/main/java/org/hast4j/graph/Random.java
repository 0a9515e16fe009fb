package org.hast4j.graph;

import static org.hast4j.graph.TensorType.f32;

import java.util.List;
import org.hast4j.tensor.Shape;

/** Random numbers and the choice of samples: random.h of the C ABI. */
public sealed interface Random extends Op {
  /** key to standard normal values. */
  record PhiloxNormal(int draw, TensorType type) implements Random {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("normal values", inputs, 1);
      Shapes.same("random key", inputs.get(0), TensorType.i64(2));
      return List.of(type);
    }
  }

  /** key to uniform class labels. */
  record PhiloxLabels(int draw, long count, int classes) implements Random {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("random labels", inputs, 1);
      Shapes.same("random key", inputs.get(0), TensorType.i64(2));
      return List.of(TensorType.i32(count));
    }
  }

  /** How {@link Boxes} are drawn. */
  sealed interface Augmentation {
    /** RandomResizedCrop with a flip: area share and aspect ratio uniform in their intervals. */
    record ResizedCrop(float scaleMin, float scaleMax, float ratioMin, float ratioMax)
        implements Augmentation {}

    /**
     * A shift by at most {@code pad} pixels with zero padding, flipped half of the time if {@code
     * flip}.
     */
    record Shift(int pad, boolean flip) implements Augmentation {}
  }

  /**
   * (key, images [count, h, w, c][, order]) to boxes [n, 6] {image, top, left, height, width,
   * flip}.
   */
  record Boxes(int draw, long count, Augmentation augmentation) implements Random {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("boxes", inputs, 2, 3);
      Shapes.same("random key", inputs.get(0), TensorType.i64(2));
      Shapes.rank("boxes images", inputs.get(1), 4);
      if (inputs.size() == 3) {
        Shapes.labels("boxes order", inputs.get(2));
      }
      return List.of(TensorType.i32(count, 6));
    }
  }

  /** (images, boxes [n, 6]) to the crops, resized to {@code height} by {@code width}. */
  record CropFlip(long height, long width) implements Random {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("crop", inputs, 2);
      Shape images = Shapes.rank("crop images", inputs.get(0), 4);
      return List.of(f32(Shapes.boxes("crop boxes", inputs.get(1)), height, width, images.size(3)));
    }
  }

  /** (labels of all images, boxes [n, 6]) to the labels [n] of the images the boxes chose. */
  record GatherLabels() implements Random {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("label gather", inputs, 2);
      Shapes.labels("label gather labels", inputs.get(0));
      return List.of(TensorType.i32(Shapes.boxes("label gather boxes", inputs.get(1))));
    }
  }

  /** (dy, boxes) to dimages, for boxes whose image is the sample itself. */
  record CropFlipGrad(TensorType images) implements Random {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("crop gradient", inputs, 2);
      Shape dy = Shapes.rank("crop gradient dy", inputs.get(0), 4);
      Shape shape = Shapes.rank("crop gradient images", images, 4);
      Shapes.equal("crop gradient samples of dy and images", dy.size(0), shape.size(0));
      Shapes.equal("crop gradient channels of dy and images", dy.size(3), shape.size(3));
      Shapes.equal(
          "crop gradient samples of dy and boxes",
          dy.size(0),
          Shapes.boxes("crop gradient boxes", inputs.get(1)));
      return List.of(images);
    }
  }
}
