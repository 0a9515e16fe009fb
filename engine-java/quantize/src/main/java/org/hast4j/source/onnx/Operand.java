package org.hast4j.source.onnx;

import java.util.List;
import org.hast4j.model.Window;

/**
 * What a value of the graph is, while the graph is read. Much of a graph says in several nodes what
 * is one layer, so that a value may wait for the nodes behind it before it becomes one.
 */
sealed interface Operand permits Constant, Operand.Dynamic {

  /** What depends on the image. */
  sealed interface Dynamic extends Operand {
    /** As ONNX has them, without the batch's: [c, h, w], [features], .. */
    List<Long> sizes();
  }

  /**
   * The output of a step, in ONNX's order of values, [c, h, w], by whatever sizes a reshape gave
   * it.
   */
  record Feature(Step step, List<Long> sizes) implements Dynamic {
    public Feature {
      sizes = List.copyOf(sizes);
    }
  }

  /** An image's values as [h, w, c]. */
  record ChannelsLast(Dynamic source) implements Dynamic {
    @Override
    public List<Long> sizes() {
      List<Long> sizes = source.sizes();
      return List.of(sizes.get(1), sizes.get(2), sizes.get(0));
    }
  }

  /** Features with as many of the same value around them. */
  record Padded(Feature source, Window.Padding padding, float value) implements Dynamic {
    @Override
    public List<Long> sizes() {
      List<Long> sizes = source.sizes();
      return List.of(
          sizes.get(0),
          sizes.get(1) + padding.top() + padding.bottom(),
          sizes.get(2) + padding.left() + padding.right());
    }
  }

  /** Every so many rows and columns. */
  record Strided(Feature source, Window.Size strides) implements Dynamic {
    @Override
    public List<Long> sizes() {
      List<Long> sizes = source.sizes();
      return List.of(
          sizes.get(0),
          Math.ceilDiv(sizes.get(1), strides.height()),
          Math.ceilDiv(sizes.get(2), strides.width()));
    }
  }

  /** Channels as [groups, c / groups], transposed. */
  record Shuffled(Feature source, int groups, List<Long> sizes) implements Dynamic {}

  /** Means over some of the axes behind the channels' that a global average pool takes. */
  record PartialMean(Feature source, List<Long> sizes) implements Dynamic {}

  /**
   * scale base + shift.
   *
   * @param scale of all values, or of each channel's
   * @param shift likewise, of as many
   * @param node that says so last, for messages
   */
  record Affine(Dynamic base, double[] scale, double[] shift, Node node) implements Dynamic {
    @Override
    public List<Long> sizes() {
      return base.sizes();
    }

    boolean isScalar() {
      return scale.length == 1;
    }
  }

  /** The product of two values of the same sizes, of which one may be one a channel. */
  record Product(Dynamic first, Dynamic second, Node node) implements Dynamic {
    @Override
    public List<Long> sizes() {
      return first.sizes();
    }
  }

  /** A function of every value that is part of an activation. */
  record Function(Kind kind, double low, double high, Dynamic base, Node node) implements Dynamic {
    /** Which one; a clip has bounds. */
    enum Kind {
      CLIP,
      ERF,
      SOFTPLUS,
      TANH
    }

    Function(Kind kind, Dynamic base, Node node) {
      this(kind, 0, 0, base, node);
    }

    @Override
    public List<Long> sizes() {
      return base.sizes();
    }
  }

  /** What may only be the output: classes are the same without it. */
  record Final(Dynamic source, Node node) implements Dynamic {
    @Override
    public List<Long> sizes() {
      return source.sizes();
    }
  }
}
