package org.hast4j.graph;

import java.util.List;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;
import org.hast4j.tensor.Window;

/** Pooling, resampling, and channels apart and together: layer.h of the C ABI. */
public sealed interface Pooling extends Op {
  /** x [n, h, w, c] to its spatial mean [n, c]. */
  record GlobalAvgPool() implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("global average pooling", inputs, 1);
      Shape x = Shapes.rank("global average pooling x", inputs.get(0), 4);
      return List.of(inputs.get(0).of(x.size(0), x.size(3)));
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
   * x to (the largest value of each r x s window, its place in the window). Padding, less than the
   * window at every side, never wins.
   */
  record MaxPool(int r, int s, Window window) implements Pooling {
    public static final int Y = 0;
    public static final int INDEX = 1;

    /** Cells of a window at most: a place is a byte. */
    public static final int MAX_CELLS = 256;

    public MaxPool {
      Shapes.pool("max pooling", r, s, window);
      if ((long) r * s > MAX_CELLS) {
        throw new IllegalArgumentException(
            "max pooling takes windows of at most %d cells, got %dx%d".formatted(MAX_CELLS, r, s));
      }
    }

    /** A square window, a square stride and as much padding on every side. */
    public MaxPool(int size, int stride, int pad) {
      this(size, size, new Window(stride, pad));
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("max pooling", inputs, 1);
      TensorType y = Shapes.pooled("max pooling x", inputs.get(0), r, s, window);
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

  /** x [n, h, w, c], or (x, factor) and their product, to sums over pixels [n, c]. */
  record PixelSum() implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("pixel sum", inputs, 1, 2);
      Shape x = Shapes.rank("pixel sum x", inputs.get(0), 4);
      Shapes.same("pixel sum factor", inputs.getLast(), inputs.get(0));
      return List.of(inputs.get(0).of(x.size(0), x.size(3)));
    }
  }

  /**
   * x to the mean of each r x s window, over all its cells or, without {@code countIncludePad},
   * over those that are no padding, which is less than the window at every side.
   */
  record AveragePool(int r, int s, Window window, boolean countIncludePad) implements Pooling {
    public AveragePool {
      Shapes.pool("average pooling", r, s, window);
    }

    /** A square window, a square stride and as much padding on every side. */
    public AveragePool(int size, int stride, int pad, boolean countIncludePad) {
      this(size, size, new Window(stride, pad), countIncludePad);
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("average pooling", inputs, 1);
      return List.of(Shapes.pooled("average pooling x", inputs.get(0), r, s, window));
    }
  }

  /** dy to dx of {@link AveragePool}. */
  record AveragePoolGrad(AveragePool forward, TensorType x) implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("average pooling gradient", inputs, 1);
      TensorType y = forward.outputs(List.of(x)).getFirst();
      Shapes.same("average pooling gradient dy", inputs.get(0), y);
      return List.of(x);
    }
  }

  /** Two or more inputs [.., c], equal but for their channels, side by side. */
  record Concat() implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      if (inputs.size() < 2) {
        throw new IllegalArgumentException("a concatenation takes two inputs or more: " + inputs);
      }
      long channels = 0;
      for (TensorType input : inputs) {
        Shapes.floats("concatenation input", input);
        long own = input.shape().size(-1);
        Shapes.same("concatenation input", input, Shapes.channels(inputs.getFirst(), own));
        channels += own;
      }
      return List.of(Shapes.channels(inputs.getFirst(), channels));
    }
  }

  /** Channels {@code begin} to {@code end} - 1 of x [.., c]. */
  record Slice(int begin, int end) implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("slice", inputs, 1);
      TensorType x = inputs.get(0);
      Shapes.floats("slice x", x);
      if (begin < 0 || end <= begin || end > x.shape().size(-1)) {
        throw new IllegalArgumentException(
            "%s has no channels %d to %d".formatted(x, begin, end - 1));
      }
      return List.of(Shapes.channels(x, end - begin));
    }
  }

  /** dy to dx of {@link Slice}: zeros in the other channels. */
  record SliceGrad(Slice forward, TensorType x) implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("slice gradient", inputs, 1);
      TensorType y = forward.outputs(List.of(x)).getFirst();
      Shapes.same("slice gradient dy", inputs.get(0), y);
      return List.of(x);
    }
  }

  /**
   * x [.., c] in {@code groups} groups of neighbouring channels to the first of each group, then
   * the second of each, and so on (ShuffleNet). Its inverse has c / groups groups.
   */
  record ChannelShuffle(int groups) implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("channel shuffle", inputs, 1);
      Shapes.floats("channel shuffle x", inputs.get(0));
      Shapes.groups("channel shuffle channels", groups, inputs.get(0).shape().size(-1));
      return inputs;
    }
  }

  /** x [n, h, w, c] to [n, c h w], in the order of [n, c, h, w]. */
  record Flatten() implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("flattening", inputs, 1);
      Shape x = Shapes.rank("flattening x", inputs.get(0), 4);
      return List.of(inputs.get(0).of(x.size(0), x.elements() / x.size(0)));
    }
  }

  /** dy to dx of {@link Flatten}. */
  record FlattenGrad(TensorType x) implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("flattening gradient", inputs, 1);
      TensorType y = new Flatten().outputs(List.of(x)).getFirst();
      Shapes.same("flattening gradient dy", inputs.get(0), y);
      return List.of(x);
    }
  }

  /** x [n, h, w, c] to [n, 2h, 2w, c], nearest neighbour. */
  record Upsample() implements Pooling {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("upsampling", inputs, 1);
      Shape x = Shapes.rank("upsampling x", inputs.get(0), 4);
      return List.of(inputs.get(0).of(x.size(0), 2 * x.size(1), 2 * x.size(2), x.size(3)));
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
          inputs
              .get(0)
              .of(
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
