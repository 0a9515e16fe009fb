package org.hast4j.model;

import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.ActivationFunction;

/**
 * What a layer computes. Sizes of features are [h, w, c], an image at a time; parameters carry
 * PyTorch's names behind the layer's: weight, bias, running_mean, running_var.
 */
public sealed interface Operator {
  /**
   * Convolution; weight [outputs, kernel height, kernel width, inputs / groups], and bias [outputs]
   * if it has one.
   *
   * @param groups parts that the channels fall into, each with filters of its own
   */
  record Convolution(long inputs, long outputs, Window window, int groups, boolean bias)
      implements Operator {
    /**
     * @throws RefusedException if the groups do not divide the channels
     */
    public Convolution {
      positive("channels in", inputs);
      positive("channels out", outputs);
      if (groups < 1 || inputs % groups != 0 || outputs % groups != 0) {
        throw new RefusedException(
            "%d groups do not divide %d channels in and %d out".formatted(groups, inputs, outputs));
      }
    }

    /** With a square window and no bias. */
    public Convolution(long inputs, long outputs, int kernel, int stride, int padding) {
      this(inputs, outputs, Window.square(kernel, stride, padding), 1, false);
    }

    /** A filter of its own for each channel, with a square window and no bias. */
    public static Convolution depthwise(long channels, int kernel, int stride, int padding) {
      return new Convolution(
          channels,
          channels,
          Window.square(kernel, stride, padding),
          Math.toIntExact(channels),
          false);
    }

    /** Whether every channel has a filter of its own; a single channel is an ordinary one. */
    public boolean isDepthwise() {
      return groups > 1 && groups == inputs && groups == outputs;
    }
  }

  /**
   * Batch normalization over the channels, (x - running_mean) / sqrt(running_var + epsilon) *
   * weight + bias.
   */
  record BatchNorm(long channels, float epsilon) implements Operator {
    /**
     * @throws RefusedException if epsilon is negative or no number
     */
    public BatchNorm {
      positive("channels", channels);
      if (!(epsilon >= 0 && epsilon <= 1)) {
        throw new RefusedException("epsilon must be 0 to 1, got " + epsilon);
      }
    }

    /** With PyTorch's default of 1e-5 added to the variance. */
    public BatchNorm(long channels) {
      this(channels, 1e-5f);
    }
  }

  /** A function of every value. */
  record Activation(ActivationFunction function) implements Operator {}

  /** x where it is above 0, else weight times x; weight [channels]. */
  record PRelu(long channels) implements Operator {
    public PRelu {
      positive("channels", channels);
    }
  }

  /** Whether activations are what it gives, as the paper quantizes them. */
  default boolean isActivation() {
    return this instanceof Activation || this instanceof PRelu;
  }

  /** The sum of two inputs: of one shape, or the second [c] or [1, 1, c]. */
  record Add() implements Operator {}

  /** The product of two inputs: of one shape, or the second [c] or [1, 1, c]. */
  record Mul() implements Operator {}

  /** Two inputs or more, one behind the other along the channels. */
  record Concat() implements Operator {}

  /** One value of each window, channel by channel. */
  record Pool(Kind kind, Window window) implements Operator {
    /** Which value. */
    public enum Kind {
      /** The largest; padding never wins. */
      MAX,
      /** The mean, padding counted as zeros. */
      AVERAGE,
      /** The mean of those that are no padding. */
      AVERAGE_UNPADDED
    }

    /**
     * @throws RefusedException if a window may hold padding only
     */
    public Pool {
      Window.Padding padding = window.padding();
      if (Math.max(padding.top(), padding.bottom()) >= window.kernel().height()
          || Math.max(padding.left(), padding.right()) >= window.kernel().width()) {
        throw new RefusedException(
            "pooling needs less padding than its window of %s, got %s"
                .formatted(window.kernel(), padding));
      }
    }
  }

  /** Mean over height and width, [c]. */
  record GlobalAveragePool() implements Operator {}

  /** Fully connected layer; weight [outputs, inputs], and bias [outputs] if it has one. */
  record Linear(long inputs, long outputs, boolean bias) implements Operator {
    public Linear {
      positive("features in", inputs);
      positive("features out", outputs);
    }

    /** With a bias. */
    public Linear(long inputs, long outputs) {
      this(inputs, outputs, true);
    }
  }

  /** [h, w, c] as one vector in the order of PyTorch, [c, h, w]. */
  record Flatten() implements Operator {}

  /**
   * ResNet shortcut A: every stride-th row and column, and zero channels in equal parts in front
   * and behind, up to {@code channels}.
   */
  record ChannelPad(int stride, long channels) implements Operator {
    public ChannelPad {
      positive("stride", stride);
      positive("channels", channels);
    }
  }

  /** The channels as [groups, c / groups], transposed. */
  record ChannelShuffle(int groups) implements Operator {
    public ChannelShuffle {
      positive("groups", groups);
    }
  }

  /** Channels from {@code begin} up to {@code end}, which is not among them. */
  record Slice(long begin, long end) implements Operator {
    /**
     * @throws RefusedException if that is none
     */
    public Slice {
      if (begin < 0 || end <= begin) {
        throw new RefusedException(
            "a slice needs 0 <= begin < end, got %d and %d".formatted(begin, end));
      }
    }
  }

  private static void positive(String what, long value) {
    // A bound on what a file may ask for, far beyond any network in use.
    if (value < 1 || value > 1 << 20) {
      throw new RefusedException("%s must be 1 to %d, got %d".formatted(what, 1 << 20, value));
    }
  }
}
