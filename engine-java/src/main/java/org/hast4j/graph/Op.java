package org.hast4j.graph;

import static org.hast4j.graph.TensorType.f32;

import java.util.List;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/**
 * An operation of the graph: one kernel family of the C ABI, whose header gives the formula. The
 * record components are its attributes; {@link #outputs} checks the inputs' shapes and gives the
 * outputs'.
 *
 * <p>Activations are NHWC, weights OHWI. An operation with a <i>base</i> adds to its last input:
 * output 0 is base plus the operation's own result.
 */
public sealed interface Op {
  /**
   * Types of the outputs for inputs of the given types.
   *
   * @throws IllegalArgumentException if the number of inputs or a shape is wrong
   */
  List<TensorType> outputs(List<TensorType> inputs);

  /**
   * Whether it changes memory behind its inputs, so that it must be kept although nothing reads it.
   */
  default boolean effect() {
    return false;
  }

  /** Whether the last input is a base to add to. */
  default boolean accumulates() {
    return false;
  }

  /** Whether an output may be written over an input that nothing else needs any more. */
  default boolean reuses(int output, int input) {
    return false;
  }

  /** Whether the kernel can leave an output out when nothing reads it. */
  default boolean optional(int output) {
    return false;
  }

  /** The output that must be there whenever this one is; itself if there is none. */
  default int partner(int output) {
    return output;
  }

  /** Memory that outlives a run: a tensor at a byte offset of a storage. */
  record Variable(Storage storage, long offset, TensorType type) implements Op {
    public Variable {
      if (offset < 0
          || offset % type.dtype().bytes() != 0
          || offset + type.bytes() > storage.bytes()) {
        throw new IllegalArgumentException(
            "%s at byte %d does not lie in storage %s".formatted(type, offset, storage));
      }
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("variable", inputs, 0);
      return List.of(type);
    }

    /** Whether another variable lies in some of the same bytes. */
    public boolean overlaps(Variable other) {
      return storage == other.storage
          && offset < other.offset + other.type.bytes()
          && other.offset < offset + type.bytes();
    }
  }

  // ---- convolution ----

  /** (x, weight[, bias]) to y. */
  record Conv2d(int stride, int pad) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("conv2d", inputs, 2, 3);
      Shape x = Shapes.rank("conv2d x", inputs.get(0), 4);
      Shape w = Shapes.rank("conv2d weight", inputs.get(1), 4);
      Shapes.equal("conv2d channels of x and weight", x.size(3), w.size(3));
      if (inputs.size() == 3) {
        Shapes.same("conv2d bias", inputs.get(2), f32(w.size(0)));
      }
      return List.of(
          f32(
              x.size(0),
              Shapes.convolved(x.size(1), w.size(1), stride, pad),
              Shapes.convolved(x.size(2), w.size(2), stride, pad),
              w.size(0)));
    }
  }

  /** (dy, weight[, base]) to dx. */
  record Conv2dDataGrad(int stride, int pad, TensorType x, boolean accumulates) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("conv2d data gradient", inputs, accumulates ? 3 : 2);
      if (accumulates) {
        Shapes.same("conv2d data gradient base", inputs.get(2), x);
      }
      TensorType y = new Conv2d(stride, pad).outputs(List.of(x, inputs.get(1))).getFirst();
      Shapes.same("conv2d data gradient dy", inputs.get(0), y);
      return List.of(x);
    }
  }

  /** (dy, x) to dweight. */
  record Conv2dWeightGrad(int stride, int pad, TensorType weight) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("conv2d weight gradient", inputs, 2);
      TensorType y = new Conv2d(stride, pad).outputs(List.of(inputs.get(1), weight)).getFirst();
      Shapes.same("conv2d weight gradient dy", inputs.get(0), y);
      return List.of(weight);
    }
  }

  /** (x [n, h, w, c], weight [c, r, s, 1]) to y: each channel convolved with its own filter. */
  record DepthwiseConv2d(int stride, int pad) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("depthwise conv2d", inputs, 2);
      Shape x = Shapes.rank("depthwise conv2d x", inputs.get(0), 4);
      Shape w = Shapes.rank("depthwise conv2d weight", inputs.get(1), 4);
      Shapes.equal("depthwise conv2d channels of x and filters", x.size(3), w.size(0));
      Shapes.equal("depthwise conv2d channels of a filter and 1", w.size(3), 1);
      return List.of(
          f32(
              x.size(0),
              Shapes.convolved(x.size(1), w.size(1), stride, pad),
              Shapes.convolved(x.size(2), w.size(2), stride, pad),
              x.size(3)));
    }
  }

  /** (dy, weight[, base]) to dx. */
  record DepthwiseConv2dDataGrad(int stride, int pad, TensorType x, boolean accumulates)
      implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("depthwise conv2d data gradient", inputs, accumulates ? 3 : 2);
      if (accumulates) {
        Shapes.same("depthwise conv2d data gradient base", inputs.get(2), x);
      }
      TensorType y = new DepthwiseConv2d(stride, pad).outputs(List.of(x, inputs.get(1))).getFirst();
      Shapes.same("depthwise conv2d data gradient dy", inputs.get(0), y);
      return List.of(x);
    }
  }

  /** (dy, x) to dweight. */
  record DepthwiseConv2dWeightGrad(int stride, int pad, TensorType weight) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("depthwise conv2d weight gradient", inputs, 2);
      TensorType y =
          new DepthwiseConv2d(stride, pad).outputs(List.of(inputs.get(1), weight)).getFirst();
      Shapes.same("depthwise conv2d weight gradient dy", inputs.get(0), y);
      return List.of(weight);
    }
  }

  /** x [.., c] to its sums over everything but c. */
  record ChannelSum() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("channel sum", inputs, 1);
      Shapes.floats("channel sum x", inputs.get(0));
      return List.of(f32(inputs.get(0).shape().size(-1)));
    }
  }

  // ---- batch normalisation ----

  /** x to (mean, biased variance) per channel. */
  record BnStats() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("batch statistics", inputs, 1);
      TensorType channels = f32(Shapes.rank("batch statistics x", inputs.get(0), 4).size(3));
      return List.of(channels, channels);
    }
  }

  /**
   * Batch normalisation with everything fused: (u, mean, variance[, gamma, beta][, addend][,
   * range]) to (y, mask, batch mean, batch variance, attention). {@code slope} is the activation's
   * for negative values: 1 for none, 0 for ReLU. {@code ceiling} is its upper bound: 6 for ReLU6,
   * infinity for none. {@code bits} quantises the result, 0 does not; {@code straightThrough} says
   * where the gradient passes the quantiser. {@code training} says that mean and variance are
   * computed from u, so that gradients flow through them.
   */
  record BnAct(
      boolean affine,
      boolean addend,
      int bits,
      StraightThrough straightThrough,
      float slope,
      float ceiling,
      float epsilon,
      boolean training)
      implements Op {
    public static final int Y = 0;
    public static final int MASK = 1;
    public static final int BATCH_MEAN = 2;
    public static final int BATCH_VARIANCE = 3;
    public static final int ATTENTION = 4;

    public BnAct {
      if (!(ceiling > 0) || Float.isFinite(ceiling) && slope != 0) {
        throw new IllegalArgumentException(
            "an activation's ceiling is above 0, and finite for slope 0 only; got ceiling %s, slope %s"
                .formatted(ceiling, slope));
      }
      if (straightThrough == StraightThrough.IN_RANGE && slope != 0) {
        throw new IllegalArgumentException(
            "a gradient that passes a quantiser in its range only needs slope 0, got " + slope);
      }
    }

    /** With the gradient straight through everywhere. */
    public BnAct(
        boolean affine,
        boolean addend,
        int bits,
        float slope,
        float ceiling,
        float epsilon,
        boolean training) {
      this(affine, addend, bits, StraightThrough.EVERYWHERE, slope, ceiling, epsilon, training);
    }

    /** Without an upper bound. */
    public BnAct(
        boolean affine, boolean addend, int bits, float slope, float epsilon, boolean training) {
      this(affine, addend, bits, slope, Float.POSITIVE_INFINITY, epsilon, training);
    }

    public int addendInput() {
      return affine ? 5 : 3;
    }

    public int rangeInput() {
      return addendInput() + (addend ? 1 : 0);
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("batch norm", inputs, rangeInput() + (bits > 0 ? 1 : 0));
      TensorType u = inputs.get(0);
      Shape shape = Shapes.rank("batch norm u", u, 4);
      TensorType channels = f32(shape.size(3));
      for (int i = 1; i < addendInput(); i++) {
        Shapes.same("batch norm parameter " + i, inputs.get(i), channels);
      }
      if (addend) {
        Shapes.same("batch norm addend", inputs.get(addendInput()), u);
      }
      if (bits > 0) {
        Shapes.same("activation range", inputs.get(rangeInput()), f32(2));
        Shapes.bits(bits);
      }
      return List.of(
          u,
          new TensorType(DType.U8, shape),
          channels,
          channels,
          f32(shape.size(0), shape.size(3)));
    }

    @Override
    public boolean reuses(int output, int input) {
      return output == Y && addend && input == addendInput();
    }

    @Override
    public boolean optional(int output) {
      return output != Y;
    }

    @Override
    public int partner(int output) {
      return switch (output) {
        case BATCH_MEAN -> BATCH_VARIANCE;
        case BATCH_VARIANCE -> BATCH_MEAN;
        default -> output;
      };
    }
  }

  /**
   * Gradient of {@link BnAct}: (dy, u, mean, variance[, gamma, beta][, mask][, attention
   * gradient][, statistics gradient, batch mean]) to (du, daddend, dgamma, dbeta).
   */
  record BnActGrad(BnAct forward, boolean mask, boolean attention, boolean statistics)
      implements Op {
    public static final int DU = 0;
    public static final int DADDEND = 1;
    public static final int DGAMMA = 2;
    public static final int DBETA = 3;

    public int maskInput() {
      return forward.affine() ? 6 : 4;
    }

    public int attentionInput() {
      return maskInput() + (mask ? 1 : 0);
    }

    public int statisticsInput() {
      return attentionInput() + (attention ? 1 : 0);
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("batch norm gradient", inputs, statisticsInput() + (statistics ? 2 : 0));
      TensorType u = inputs.get(1);
      Shape shape = Shapes.rank("batch norm gradient u", u, 4);
      Shapes.same("batch norm gradient dy", inputs.get(0), u);
      TensorType channels = f32(shape.size(3));
      for (int i = 2; i < maskInput(); i++) {
        Shapes.same("batch norm gradient parameter " + (i - 1), inputs.get(i), channels);
      }
      if (mask) {
        Shapes.same(
            "batch norm gradient mask", inputs.get(maskInput()), new TensorType(DType.U8, shape));
      }
      if (attention) {
        Shapes.same(
            "attention gradient", inputs.get(attentionInput()), f32(shape.size(0), shape.size(3)));
      }
      if (statistics) {
        Shapes.same("statistics gradient", inputs.get(statisticsInput()), f32(2, shape.size(3)));
        Shapes.same("batch norm gradient batch mean", inputs.get(statisticsInput() + 1), channels);
      }
      return List.of(u, u, channels, channels);
    }

    @Override
    public boolean reuses(int output, int input) {
      return input == 0 && (output == DU || output == DADDEND);
    }

    @Override
    public boolean optional(int output) {
      return output != DU;
    }

    @Override
    public int partner(int output) {
      return switch (output) {
        case DGAMMA -> DBETA;
        case DBETA -> DGAMMA;
        default -> output;
      };
    }
  }

  /**
   * Moves (running mean, running variance) towards (mean, variance) of a batch of {@code rows}
   * values a channel.
   */
  record BnRunningStep(float momentum, long rows) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("running statistics", inputs, 4);
      Shapes.rank("running mean", inputs.get(0), 1);
      for (int i = 1; i < 4; i++) {
        Shapes.same("running statistics input " + i, inputs.get(i), inputs.get(0));
      }
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }

  /**
   * BN-statistic loss of one layer: (mean, variance, running mean, running variance[, base]) to
   * (loss, statistics gradient [2, c]).
   */
  record BnStatsLoss(long rows, float weight, boolean accumulates) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("BN-statistic loss", inputs, accumulates ? 5 : 4);
      TensorType channels = inputs.get(0);
      Shapes.rank("BN-statistic loss mean", channels, 1);
      for (int i = 1; i < 4; i++) {
        Shapes.same("BN-statistic loss input " + i, inputs.get(i), channels);
      }
      if (accumulates) {
        Shapes.same("BN-statistic loss base", inputs.get(4), f32(1));
      }
      return List.of(f32(1), f32(2, channels.shape().size(0)));
    }
  }

  // ---- quantisation ----

  /** (x, range [2]) to the fake-quantised x; the gradient passes straight through. */
  record FakeQuant(int bits) implements Op {
    public FakeQuant {
      Shapes.bits(bits);
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("fake quantisation", inputs, 2);
      Shapes.floats("fake quantisation x", inputs.get(0));
      Shapes.same("activation range", inputs.get(1), f32(2));
      return List.of(inputs.get(0));
    }

    @Override
    public boolean reuses(int output, int input) {
      return input == 0;
    }
  }

  /**
   * Weights [out, ..], each output channel on its own range; the gradient passes straight through.
   */
  record FakeQuantChannel(int bits) implements Op {
    public FakeQuantChannel {
      Shapes.bits(bits);
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("weight quantisation", inputs, 1);
      Shapes.floats("weight quantisation x", inputs.get(0));
      return List.of(inputs.get(0));
    }
  }

  /** x to its range [2]. */
  record MinMax() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("min max", inputs, 1);
      Shapes.floats("min max x", inputs.get(0));
      return List.of(f32(2));
    }
  }

  /** Moves (range [2], state [3]) by a batch range [2]. */
  record RangeTrackStep(float momentum, RangeRule rule) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("range tracking", inputs, 3);
      Shapes.same("tracked range", inputs.get(0), f32(2));
      Shapes.same("range state", inputs.get(1), f32(3));
      Shapes.same("batch range", inputs.get(2), f32(2));
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }

  // ---- layers ----

  /** (x [n, inputs], weight [outputs, inputs][, bias]) to y. */
  record Linear() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("linear", inputs, 2, 3);
      Shape x = Shapes.rank("linear x", inputs.get(0), 2);
      Shape w = Shapes.rank("linear weight", inputs.get(1), 2);
      Shapes.equal("linear inputs of x and weight", x.size(1), w.size(1));
      if (inputs.size() == 3) {
        Shapes.same("linear bias", inputs.get(2), f32(w.size(0)));
      }
      return List.of(f32(x.size(0), w.size(0)));
    }
  }

  /** (dy, weight) to dx. */
  record LinearDataGrad() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("linear data gradient", inputs, 2);
      Shape dy = Shapes.rank("linear data gradient dy", inputs.get(0), 2);
      Shape w = Shapes.rank("linear data gradient weight", inputs.get(1), 2);
      Shapes.equal("linear outputs of dy and weight", dy.size(1), w.size(0));
      return List.of(f32(dy.size(0), w.size(1)));
    }
  }

  /** (dy, x) to (dweight, dbias). */
  record LinearWeightGrad() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("linear weight gradient", inputs, 2);
      Shape dy = Shapes.rank("linear weight gradient dy", inputs.get(0), 2);
      Shape x = Shapes.rank("linear weight gradient x", inputs.get(1), 2);
      Shapes.equal("linear rows of dy and x", dy.size(0), x.size(0));
      return List.of(f32(dy.size(1), x.size(1)), f32(dy.size(1)));
    }

    @Override
    public boolean optional(int output) {
      return output == 1;
    }
  }

  /** x [n, h, w, c] to its spatial mean [n, c]. */
  record GlobalAvgPool() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("global average pooling", inputs, 1);
      Shape x = Shapes.rank("global average pooling x", inputs.get(0), 4);
      return List.of(f32(x.size(0), x.size(3)));
    }
  }

  /** dy [n, c] to dx. */
  record GlobalAvgPoolGrad(TensorType x) implements Op {
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
  record MaxPool(int window, int stride, int pad) implements Op {
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
              Shapes.convolved(x.size(1), window, stride, pad),
              Shapes.convolved(x.size(2), window, stride, pad),
              x.size(3));
      return List.of(y, new TensorType(DType.U8, y.shape()));
    }
  }

  /** (dy, index) to dx of {@link MaxPool}. */
  record MaxPoolGrad(MaxPool forward, TensorType x) implements Op {
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
  record Upsample() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("upsampling", inputs, 1);
      Shape x = Shapes.rank("upsampling x", inputs.get(0), 4);
      return List.of(f32(x.size(0), 2 * x.size(1), 2 * x.size(2), x.size(3)));
    }
  }

  /** dy to dx of {@link Upsample}. */
  record UpsampleGrad(TensorType x) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("upsampling gradient", inputs, 1);
      Shapes.same(
          "upsampling gradient dy", inputs.get(0), new Upsample().outputs(List.of(x)).getFirst());
      return List.of(x);
    }
  }

  /** (table [classes, d], noise [n, d], labels [n]) to table[labels] times noise. */
  record Embedding() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("embedding", inputs, 3);
      Shape table = Shapes.rank("embedding table", inputs.get(0), 2);
      Shape noise = Shapes.rank("embedding noise", inputs.get(1), 2);
      Shapes.equal("embedding width", table.size(1), noise.size(1));
      Shapes.same("embedding labels", inputs.get(2), TensorType.i32(noise.size(0)));
      return List.of(inputs.get(1));
    }
  }

  /** (dy, noise, labels) to dtable. */
  record EmbeddingGrad(TensorType table) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("embedding gradient", inputs, 3);
      TensorType y =
          new Embedding().outputs(List.of(table, inputs.get(1), inputs.get(2))).getFirst();
      Shapes.same("embedding gradient dy", inputs.get(0), y);
      return List.of(table);
    }
  }

  /** Shortcut A: subsamples by the stride and pads channels with zeros on both sides. */
  record Shortcut(int stride, long channels) implements Op {
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
  record ShortcutGrad(int stride, TensorType x) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("shortcut gradient", inputs, 1);
      Shape dy = Shapes.rank("shortcut gradient dy", inputs.get(0), 4);
      TensorType y = new Shortcut(stride, dy.size(3)).outputs(List.of(x)).getFirst();
      Shapes.same("shortcut gradient dy", inputs.get(0), y);
      return List.of(x);
    }
  }

  /** Reads the same memory in another shape. */
  record Reshape(TensorType type) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("reshape", inputs, 1);
      Shapes.equal("reshape bytes", inputs.get(0).bytes(), type.bytes());
      return List.of(type);
    }
  }

  // ---- element-wise ----

  record Tanh() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("tanh", inputs, 1);
      Shapes.floats("tanh x", inputs.get(0));
      return inputs;
    }

    @Override
    public boolean reuses(int output, int input) {
      return true;
    }
  }

  /** (dy, y) to dx. */
  record TanhGrad() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("tanh gradient", inputs, 2);
      Shapes.floats("tanh gradient dy", inputs.get(0));
      Shapes.same("tanh gradient y", inputs.get(1), inputs.get(0));
      return List.of(inputs.get(0));
    }

    @Override
    public boolean reuses(int output, int input) {
      return input == 0;
    }
  }

  /** a + b. */
  record Add() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("add", inputs, 2);
      Shapes.floats("add x", inputs.get(0));
      Shapes.same("add", inputs.get(1), inputs.get(0));
      return List.of(inputs.get(0));
    }

    @Override
    public boolean reuses(int output, int input) {
      return true;
    }
  }

  /** factor times x. */
  record Scale(float factor) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("scale", inputs, 1);
      Shapes.floats("scale x", inputs.get(0));
      return inputs;
    }

    @Override
    public boolean reuses(int output, int input) {
      return true;
    }
  }

  /** (x, g) to x + epsilon sign(g). No gradient. */
  record SignPerturb(float epsilon) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("sign perturbation", inputs, 2);
      Shapes.floats("sign perturbation x", inputs.get(0));
      Shapes.same("sign perturbation", inputs.get(1), inputs.get(0));
      return List.of(inputs.get(0));
    }

    @Override
    public boolean reuses(int output, int input) {
      return true;
    }
  }

  // ---- losses: each gives its gradients in the same pass ----

  /**
   * (logits [n, k], labels [n]) to (loss, dlogits, difficulty [n]). Beta 1 and gamma 0 is plain
   * cross-entropy.
   */
  record HardCrossEntropy(float beta, float gamma) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("cross-entropy", inputs, 2);
      Shape logits = Shapes.rank("cross-entropy logits", inputs.get(0), 2);
      Shapes.same("cross-entropy labels", inputs.get(1), TensorType.i32(logits.size(0)));
      return List.of(f32(1), inputs.get(0), f32(logits.size(0)));
    }

    @Override
    public boolean optional(int output) {
      return output == 2;
    }
  }

  /** (student, teacher logits [n, k]) to (loss, dstudent, dteacher). */
  record DistillKl(float temperature, float alpha) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("distillation", inputs, 2);
      Shapes.rank("distillation logits", inputs.get(0), 2);
      Shapes.same("distillation logits", inputs.get(1), inputs.get(0));
      return List.of(f32(1), inputs.get(0), inputs.get(0));
    }

    @Override
    public boolean optional(int output) {
      return output != 0;
    }
  }

  /**
   * (student, teacher attention [n, c][, base]) to (loss, student gradient, teacher gradient); the
   * gradients are the factors {@link BnActGrad} takes, {@code area} is h times w of the features.
   */
  record FeatureAlign(long area, float lambda, boolean accumulates) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("feature alignment", inputs, accumulates ? 3 : 2);
      Shapes.rank("feature alignment", inputs.get(0), 2);
      Shapes.same("feature alignment", inputs.get(1), inputs.get(0));
      if (accumulates) {
        Shapes.same("feature alignment base", inputs.get(2), f32(1));
      }
      return List.of(f32(1), inputs.get(0), inputs.get(0));
    }

    @Override
    public boolean optional(int output) {
      return output != 0;
    }
  }

  // ---- random numbers and samples; key is int64[2] {seed, step} ----

  /** key to standard normal values. */
  record PhiloxNormal(int draw, TensorType type) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("normal values", inputs, 1);
      Shapes.same("random key", inputs.get(0), TensorType.i64(2));
      return List.of(type);
    }
  }

  /** key to uniform class labels. */
  record PhiloxLabels(int draw, long count, int classes) implements Op {
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
  record Boxes(int draw, long count, Augmentation augmentation) implements Op {
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
  record CropFlip(long height, long width) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("crop", inputs, 2);
      Shape images = Shapes.rank("crop images", inputs.get(0), 4);
      return List.of(f32(Shapes.boxes("crop boxes", inputs.get(1)), height, width, images.size(3)));
    }
  }

  /** (labels of all images, boxes [n, 6]) to the labels [n] of the images the boxes chose. */
  record GatherLabels() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("label gather", inputs, 2);
      Shapes.labels("label gather labels", inputs.get(0));
      return List.of(TensorType.i32(Shapes.boxes("label gather boxes", inputs.get(1))));
    }
  }

  /** (dy, boxes) to dimages, for boxes whose image is the sample itself. */
  record CropFlipGrad(TensorType images) implements Op {
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

  // ---- steps: they change the memory behind their first inputs ----

  /** (p, m, v, g, lr [1], completed steps [1]). */
  record AdamStep(float beta1, float beta2, float epsilon) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("Adam", inputs, 6);
      Shapes.alike("Adam", inputs.subList(0, 4));
      Shapes.same("Adam learning rate", inputs.get(4), f32(1));
      Shapes.same("Adam counter", inputs.get(5), TensorType.i64(1));
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }

  /** (p, buffer, g, lr [1][, rates]): each element at a rate of its own, times the common one. */
  record SgdStep(float momentum, float decay, boolean nesterov) implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      boolean rates = inputs.size() == 5;
      Shapes.count("SGD", inputs, rates ? 5 : 4);
      Shapes.alike("SGD", inputs.subList(0, 3));
      Shapes.same("SGD learning rate", inputs.get(3), f32(1));
      if (rates) {
        Shapes.alike("SGD rates", List.of(inputs.get(0), inputs.get(4)));
      }
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }

  /**
   * (p, m, v, state [3] {lr, best, bad steps}, completed steps [1], g, loss [1]): Adam with the
   * learning rate of the state, then ReduceLROnPlateau on the state, then one more completed step.
   */
  record SampleStep(
      float beta1,
      float beta2,
      float epsilon,
      float factor,
      float threshold,
      float minLr,
      float lrEpsilon,
      int patience)
      implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("sample step", inputs, 7);
      Shapes.alike(
          "sample step", List.of(inputs.get(0), inputs.get(1), inputs.get(2), inputs.get(5)));
      Shapes.same("sample step state", inputs.get(3), f32(3));
      Shapes.same("sample step counter", inputs.get(4), TensorType.i64(1));
      Shapes.same("sample step loss", inputs.get(6), f32(1));
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }

  /**
   * (kept [n], kept loss [1], kept at [1], p [n], loss [1], now [1]): where the loss is below the
   * kept one, p, the loss and the count {@code now} become what is kept.
   */
  record KeepBestStep() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("keeping the best", inputs, 6);
      Shapes.alike("keeping the best", List.of(inputs.get(0), inputs.get(3)));
      Shapes.same("kept loss", inputs.get(1), f32(1));
      Shapes.same("kept count", inputs.get(2), TensorType.i64(1));
      Shapes.same("loss", inputs.get(4), f32(1));
      Shapes.same("count", inputs.get(5), TensorType.i64(1));
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }

  /** Adds 1 to a counter (int64[1]). */
  record CounterStep() implements Op {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("counter", inputs, 1);
      Shapes.same("counter", inputs.get(0), TensorType.i64(1));
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }
}
