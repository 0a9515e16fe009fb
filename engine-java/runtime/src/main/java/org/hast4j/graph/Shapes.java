package org.hast4j.graph;

import java.util.List;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;
import org.hast4j.tensor.Window;

/** Checks of operations' inputs; each failure names the operation and both sides. */
final class Shapes {
  private Shapes() {}

  static void count(String what, List<TensorType> inputs, int... allowed) {
    for (int count : allowed) {
      if (inputs.size() == count) {
        return;
      }
    }
    throw new IllegalArgumentException(what + ": wrong number of inputs: " + inputs);
  }

  static void floats(String what, TensorType type) {
    if (!type.dtype().isFloating()) {
      throw new IllegalArgumentException(
          "%s must be %s, %s or %s, got %s"
              .formatted(what, DType.F32, DType.F16, DType.BF16, type));
    }
  }

  /** Int32 [n]. */
  static void labels(String what, TensorType type) {
    same(what, type, TensorType.i32(type.shape().elements()));
  }

  /** Number of boxes, int32 [n, 6]. */
  static long boxes(String what, TensorType type) {
    long n = type.shape().size(0);
    same(what, type, TensorType.i32(n, 6));
    return n;
  }

  /** Elements of one type. */
  static void elements(String what, TensorType a, TensorType b) {
    if (a.dtype() != b.dtype()) {
      throw new IllegalArgumentException(
          "%s differ in their elements: %s, %s".formatted(what, a, b));
    }
  }

  /** The shape of floating-point values with so many dimensions. */
  static Shape rank(String what, TensorType type, int rank) {
    floats(what, type);
    if (type.shape().rank() != rank) {
      throw new IllegalArgumentException(
          "%s must have %d dimensions, got %s".formatted(what, rank, type));
    }
    return type.shape();
  }

  static void same(String what, TensorType actual, TensorType expected) {
    if (!actual.equals(expected)) {
      throw new IllegalArgumentException("%s must be %s, got %s".formatted(what, expected, actual));
    }
  }

  static void equal(String what, long a, long b) {
    if (a != b) {
      throw new IllegalArgumentException("%s differ: %d and %d".formatted(what, a, b));
    }
  }

  /** Values of one type, as many in one as in the other. */
  static void alike(String what, List<TensorType> types) {
    for (TensorType type : types) {
      floats(what + " values", type);
      elements(what + " values", type, types.getFirst());
      equal(what + " elements", type.shape().elements(), types.getFirst().shape().elements());
    }
  }

  /**
   * Two of one shape, or [n, h, w, c] and [n, c], which is repeated over pixels; gives the first.
   */
  static List<TensorType> repeatable(String what, List<TensorType> inputs) {
    count(what, inputs, 2);
    TensorType a = inputs.get(0);
    TensorType b = inputs.get(1);
    floats(what + " a", a);
    if (!b.equals(a) && b.shape().rank() == 2) {
      Shape shape = rank(what + " a", a, 4);
      same(what + " b", b, a.of(shape.size(0), shape.size(3)));
    } else {
      same(what + " b", b, a);
    }
    return List.of(a);
  }

  /** An r x s window that is not dilated and holds more than padding wherever it is. */
  static void pool(String what, int r, int s, Window window) {
    if (Math.min(r, s) < 1
        || Math.max(window.top(), window.bottom()) >= r
        || Math.max(window.left(), window.right()) >= s
        || window.dilationH() != 1
        || window.dilationW() != 1) {
      throw new IllegalArgumentException(
          "%s needs a window of at least 1x1, less padding than that, and no dilation, got %dx%d with %s"
              .formatted(what, r, s, window));
    }
  }

  /** An r x s window that slides over [n, h, w, c]: [n, p, q, c]. */
  static TensorType pooled(String what, TensorType x, int r, int s, Window window) {
    return convolved(x, Shape.of(rank(what, x, 4).size(3), r, s), window);
  }

  /** The type with another number of channels. */
  static TensorType channels(TensorType x, long channels) {
    long[] sizes = x.shape().sizes();
    sizes[sizes.length - 1] = channels;
    return x.of(sizes);
  }

  static void bits(int bits) {
    if (bits < 2 || bits > 8) {
      throw new IllegalArgumentException("bit width must be 2 to 8, got " + bits);
    }
  }

  /** So many groups divide the channels. */
  static void groups(String what, int groups, long channels) {
    if (groups < 1 || channels % groups != 0) {
      throw new IllegalArgumentException(
          "%s: %d cannot be divided into %d groups".formatted(what, channels, groups));
    }
  }

  /** What filters [k, r, s, ..] make of images [n, h, w, ..]. */
  static TensorType convolved(TensorType images, Shape w, Window window) {
    Shape x = images.shape();
    return images.of(
        x.size(0),
        window.height(x.size(1), w.size(1)),
        window.width(x.size(2), w.size(2)),
        w.size(0));
  }
}
