package org.hast4j.graph;

import static org.hast4j.graph.TensorType.f32;

import java.util.List;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/** Pooling, resampling and the shortcut without parameters: layer.h of the C ABI. */
public sealed interface Pooling extends Op {
  /** x [n, h, w, c] to its spatial mean [n, c]. */
  record GlobalAvgPool() implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("global average pooling", inputs, 1);
      Shape x = Shapes.rank("global average pooling x", inputs.get(0), 4);
      return List.of(f32(x.size(0), x.size(3)));
    }
  }

  /** dy [n, c] to dx. */
  record GlobalAvgPoolGrad(TensorType x) implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("global average pooling gradient", inputs, 1);
      TensorType y = new GlobalAvgPool().outputs(List.of(x)).getFirst();
      Shapes.same("global average pooling gradient dy", inputs.get(0), y);
      return List.of(x);
    }
  }

  /**
   * x to (the largest value of each window x window square, its place in the square). Padding, less
   * than the window, never wins.
   */
  record MaxPool(int window, int stride, int pad) implements Pooling {
    public static final int Y = 0;
    public static final int INDEX = 1;

    private static final int MAX_WINDOW = 16;

    public MaxPool {
      if (window < 1 || window > MAX_WINDOW || pad >= window) {
        throw new IllegalArgumentException(
            "max pooling needs a window of 1 to %d and less padding than that, got window %d, padding %d"
                .formatted(MAX_WINDOW, window, pad));
      }
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("max pooling", inputs, 1);
      Shape x = Shapes.rank("max pooling x", inputs.get(0), 4);
      TensorType y =
          f32(
              x.size(0),
              Shapes.pooled(x.size(1), window, stride, pad),
              Shapes.pooled(x.size(2), window, stride, pad),
              x.size(3));
      return List.of(y, new TensorType(DType.U8, y.shape()));
    }
  }

  /** (dy, index) to dx of {@link MaxPool}. */
  record MaxPoolGrad(MaxPool forward, TensorType x) implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("max pooling gradient", inputs, 2);
      List<TensorType> outputs = forward.outputs(List.of(x));
      Shapes.same("max pooling gradient dy", inputs.get(0), outputs.get(MaxPool.Y));
      Shapes.same("max pooling gradient index", inputs.get(1), outputs.get(MaxPool.INDEX));
      return List.of(x);
    }
  }

  /** x [n, h, w, c] to [n, 2h, 2w, c], nearest neighbour. */
  record Upsample() implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("upsampling", inputs, 1);
      Shape x = Shapes.rank("upsampling x", inputs.get(0), 4);
      return List.of(f32(x.size(0), 2 * x.size(1), 2 * x.size(2), x.size(3)));
    }
  }

  /** dy to dx of {@link Upsample}. */
  record UpsampleGrad(TensorType x) implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("upsampling gradient", inputs, 1);
      Shapes.same(
          "upsampling gradient dy", inputs.get(0), new Upsample().outputs(List.of(x)).getFirst());
      return List.of(x);
    }
  }

  /** Shortcut A: subsamples by the stride and pads channels with zeros on both sides. */
  record Shortcut(int stride, long channels) implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("shortcut", inputs, 1);
      Shape x = Shapes.rank("shortcut x", inputs.get(0), 4);
      if (stride < 1 || channels < x.size(3)) {
        throw new IllegalArgumentException(
            "a shortcut of stride %d cannot make %d channels of %d"
                .formatted(stride, channels, x.size(3)));
      }
      return List.of(
          f32(
              x.size(0),
              Math.ceilDiv(x.size(1), stride),
              Math.ceilDiv(x.size(2), stride),
              channels));
    }
  }

  /** dy to dx of {@link Shortcut}. */
  record ShortcutGrad(int stride, TensorType x) implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("shortcut gradient", inputs, 1);
      Shape dy = Shapes.rank("shortcut gradient dy", inputs.get(0), 4);
      TensorType y = new Shortcut(stride, dy.size(3)).outputs(List.of(x)).getFirst();
      Shapes.same("shortcut gradient dy", inputs.get(0), y);
      return List.of(x);
    }
  }
}
