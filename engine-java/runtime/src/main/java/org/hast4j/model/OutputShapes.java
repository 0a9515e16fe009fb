package org.hast4j.model;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.Shape;

/** The shape of every layer's output, an image at a time: [h, w, c] or [features]. */
public final class OutputShapes {
  // What a Java array can hold of one image's features.
  static final long MAX_ELEMENTS = Integer.MAX_VALUE - 8;

  private OutputShapes() {}

  /**
   * The shape of a layer's output.
   *
   * @param known shapes of what stands before it, by name
   * @throws RefusedException naming the layer, its operator and the shapes that do not fit
   */
  public static Shape of(Layer layer, Map<String, Shape> known) {
    List<Shape> inputs = layer.inputs().stream().map(known::get).toList();
    try {
      Shape shape = infer(layer.op(), inputs);
      if (shape.elements() > MAX_ELEMENTS) {
        throw new RefusedException(
            "gives %s, more than %d values".formatted(text(shape), MAX_ELEMENTS));
      }
      return shape;
    } catch (RefusedException e) {
      throw new RefusedException(
          "layer %s (%s of %s) %s"
              .formatted(
                  Layer.quoted(layer.name()),
                  layer.op(),
                  inputs.stream().map(OutputShapes::text).collect(Collectors.joining(" and ")),
                  e.getMessage()),
          e);
    }
  }

  private static Shape infer(Operator op, List<Shape> inputs) {
    int least = op instanceof Operator.Add || op instanceof Operator.Mul ? 2 : 1;
    int needed = op instanceof Operator.Concat ? Math.max(2, inputs.size()) : least;
    if (inputs.size() != needed) {
      throw new RefusedException("reads %d inputs, it needs %d".formatted(inputs.size(), needed));
    }
    Shape x = inputs.getFirst();
    return switch (op) {
      case Operator.Convolution conv -> {
        image(x);
        same("channels", x.size(-1), conv.inputs());
        yield windows(x, conv.window(), conv.outputs());
      }
      case Operator.BatchNorm norm -> {
        same("channels", x.size(-1), norm.channels());
        yield x;
      }
      case Operator.PRelu prelu -> {
        same("channels", x.size(-1), prelu.channels());
        yield x;
      }
      case Operator.Activation _ -> x;
      case Operator.Add _, Operator.Mul _ -> {
        Shape other = inputs.get(1);
        long c = x.size(-1);
        boolean repeated = other.equals(Shape.of(c)) || other.equals(Shape.of(1, 1, c));
        if (!x.equals(other) && !(x.rank() == 3 && repeated)) {
          throw new RefusedException("needs a second input of the same shape, [c] or [1, 1, c]");
        }
        yield x;
      }
      case Operator.Concat _ -> concatenated(inputs);
      case Operator.Pool pool -> {
        image(x);
        yield windows(x, pool.window(), x.size(-1));
      }
      case Operator.GlobalAveragePool _ -> {
        image(x);
        yield Shape.of(x.size(-1));
      }
      case Operator.Linear linear -> {
        if (x.rank() != 1) {
          throw new RefusedException("needs one vector an image: pool or flatten it first");
        }
        same("features", x.size(0), linear.inputs());
        yield Shape.of(linear.outputs());
      }
      case Operator.Flatten _ -> Shape.of(x.elements());
      case Operator.ChannelPad pad -> {
        image(x);
        if (pad.channels() < x.size(2)) {
          throw new RefusedException("has more channels already");
        }
        yield Shape.of(
            Math.ceilDiv(x.size(0), pad.stride()),
            Math.ceilDiv(x.size(1), pad.stride()),
            pad.channels());
      }
      case Operator.ChannelShuffle shuffle -> {
        if (x.size(-1) % shuffle.groups() != 0) {
          throw new RefusedException("has groups that do not divide the channels");
        }
        yield x;
      }
      case Operator.Slice slice -> {
        if (slice.end() > x.size(-1)) {
          throw new RefusedException("ends behind the last channel");
        }
        yield channels(x, slice.end() - slice.begin());
      }
    };
  }

  private static void image(Shape x) {
    if (x.rank() != 3) {
      throw new RefusedException("needs [h, w, c] an image");
    }
  }

  private static void same(String what, long found, long needed) {
    if (found != needed) {
      throw new RefusedException("needs %d %s, its input has %d".formatted(needed, what, found));
    }
  }

  private static Shape windows(Shape x, Window window, long channels) {
    long height = window.heights(x.size(0));
    long width = window.widths(x.size(1));
    if (height < 1 || width < 1) {
      throw new RefusedException("has a window that is larger than its padded input");
    }
    return Shape.of(height, width, channels);
  }

  private static Shape concatenated(List<Shape> inputs) {
    Shape x = inputs.getFirst();
    long channels = 0;
    for (Shape input : inputs) {
      if (input.rank() != x.rank() || !channels(input, 1).equals(channels(x, 1))) {
        throw new RefusedException("needs inputs that differ in their channels only");
      }
      channels += input.size(-1);
    }
    return channels(x, channels);
  }

  private static Shape channels(Shape x, long channels) {
    long[] sizes = x.sizes();
    sizes[sizes.length - 1] = channels;
    return Shape.of(sizes);
  }

  /** The shape of a batch of n. */
  static String text(Shape shape) {
    return "[n, " + shape.toString().substring(1);
  }
}
