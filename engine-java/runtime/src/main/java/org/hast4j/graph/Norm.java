package org.hast4j.graph;

import static org.hast4j.graph.TensorType.f32;

import java.util.List;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;
import org.hast4j.tensor.StraightThrough;

/** Batch normalization and what is fused with it: norm.h of the C ABI. */
public sealed interface Norm extends Op {
  /** x [.., c] to its sums over everything but c. */
  record ChannelSum() implements Norm {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("channel sum", inputs, 1);
      Shapes.floats("channel sum x", inputs.get(0));
      return List.of(f32(inputs.get(0).shape().size(-1)));
    }
  }

  /** x to (mean, biased variance) per channel. */
  record BnStats() implements Norm {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("batch statistics", inputs, 1);
      TensorType channels = f32(Shapes.rank("batch statistics x", inputs.get(0), 4).size(3));
      return List.of(channels, channels);
    }
  }

  /**
   * Batch normalisation with everything fused: (u, mean, variance[, gamma, beta][, residual][,
   * range]) to (y, mask, batch mean, batch variance, attention). {@code slope} is the activation's
   * for negative values: 1 for none, 0 for ReLU. {@code ceiling} is its upper bound: 6 for ReLU6,
   * infinity for none. {@code bits} quantises the result, 0 does not; {@code straightThrough} says
   * where the gradient passes the quantiser. {@code training} says that mean and variance are
   * computed from u, so that gradients flow through them.
   */
  record BnAct(
      boolean affine,
      boolean residual,
      int bits,
      StraightThrough straightThrough,
      float slope,
      float ceiling,
      float epsilon,
      boolean training)
      implements Norm {
    public static final int Y = 0;
    public static final int MASK = 1;
    public static final int BATCH_MEAN = 2;
    public static final int BATCH_VARIANCE = 3;
    public static final int ATTENTION = 4;

    public BnAct {
      ActivationFunction.checkRelu(slope, ceiling);
      if (straightThrough == StraightThrough.IN_RANGE && slope != 0) {
        throw new IllegalArgumentException(
            "a gradient that passes a quantiser in its range only needs slope 0, got " + slope);
      }
    }

    /** With the gradient straight through everywhere. */
    public BnAct(
        boolean affine,
        boolean residual,
        int bits,
        float slope,
        float ceiling,
        float epsilon,
        boolean training) {
      this(affine, residual, bits, StraightThrough.EVERYWHERE, slope, ceiling, epsilon, training);
    }

    /** Without an upper bound. */
    public BnAct(
        boolean affine, boolean residual, int bits, float slope, float epsilon, boolean training) {
      this(affine, residual, bits, slope, Float.POSITIVE_INFINITY, epsilon, training);
    }

    public int residualInput() {
      return affine ? 5 : 3;
    }

    public int rangeInput() {
      return residualInput() + (residual ? 1 : 0);
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("batch norm", inputs, rangeInput() + (bits > 0 ? 1 : 0));
      TensorType u = inputs.get(0);
      Shape shape = Shapes.rank("batch norm u", u, 4);
      TensorType channels = f32(shape.size(3));
      for (int i = 1; i < residualInput(); i++) {
        Shapes.same("batch norm parameter " + i, inputs.get(i), channels);
      }
      if (residual) {
        Shapes.same("batch norm residual", inputs.get(residualInput()), u);
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
      return output == Y && residual && input == residualInput();
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
   * gradient][, statistics gradient, batch mean]) to (du, dresidual, dgamma, dbeta).
   */
  record BnActGrad(BnAct forward, boolean mask, boolean attention, boolean statistics)
      implements Norm {
    public static final int DU = 0;
    public static final int DRESIDUAL = 1;
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
      return input == 0 && (output == DU || output == DRESIDUAL);
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
  record BnRunningStep(float momentum, long rows) implements Norm {
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
}
