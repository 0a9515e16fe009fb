package org.hast4j.zoo;

import java.util.List;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.model.Window;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.Shape;

/**
 * A model in the making whose sizes come from a state dict: of a layer a family says its name and
 * how it moves; channels, kernel, groups and bias are the tensors'. Layers are named as their
 * tensors are. Every method appends one layer, or the few its name says, and gives the name of the
 * last one.
 */
final class Stack {
  private final State state;
  private final Model.Builder net;
  private final float epsilon;
  private final PaddingStyle padding;

  /**
   * An empty one.
   *
   * @param epsilon of every BatchNorm
   */
  Stack(State state, Model.Input input, float epsilon, PaddingStyle padding) {
    this.state = state;
    this.net = new Model.Builder(input);
    this.epsilon = epsilon;
    this.padding = padding;
  }

  /**
   * Of square images, with the epsilon and padding that are given or assumed.
   *
   * @param stem name of the first convolution, which says the number of channels
   * @param size usual height and width, pixels
   */
  static Stack of(State state, Assumptions assumed, String stem, int size) {
    return of(state, assumed, stem, size, "1e-5");
  }

  /** Likewise, where another epsilon is usual. */
  static Stack of(State state, Assumptions assumed, String stem, int size, String epsilon) {
    int side = assumed.size(size);
    return new Stack(
        state,
        new Model.Input(side, side, size(stem, state.weight(stem, 4).size(1))),
        assumed.epsilon(epsilon),
        assumed.padding());
  }

  State state() {
    return state;
  }

  /** Shape of what a layer gives, [h, w, c] or [features]. */
  Shape shape(String x) {
    return net.shape(x);
  }

  /** Channels or features that a layer gives. */
  long channels(String x) {
    return net.shape(x).size(-1);
  }

  /** A layer without tensors. */
  String add(String name, Operator op, String... inputs) {
    return net.add(name, op, inputs);
  }

  /** A convolution that keeps the size, but for its stride. */
  String convolution(String name, int stride, String x) {
    Shape weight = state.weight(name, 4);
    return convolution(
        name,
        stride,
        (size(name, weight.size(2)) - 1) / 2,
        (size(name, weight.size(3)) - 1) / 2,
        x);
  }

  /** A convolution with so much padding, unless "same" is asked for. */
  String convolution(String name, int stride, int padHeight, int padWidth, String x) {
    Shape weight = state.weight(name, 4);
    long inputs = channels(x);
    if (weight.size(1) == 0 || inputs % weight.size(1) != 0) {
      throw new RefusedException(
          "tensor %s.weight has shape %s, which does not fit the %d channels that it reads"
              .formatted(name, weight, inputs));
    }
    Window window =
        window(
            size(name, weight.size(2)), size(name, weight.size(3)), stride, padHeight, padWidth, x);
    return net.add(
        name,
        new Operator.Convolution(
            inputs,
            weight.size(0),
            window,
            Math.toIntExact(inputs / weight.size(1)),
            state.has(name + ".bias")),
        x);
  }

  private static int size(String name, long size) {
    if (size > Integer.MAX_VALUE) {
      throw new RefusedException("tensor %s.weight is too large".formatted(name));
    }
    return (int) size;
  }

  private Window window(int height, int width, int stride, int padHeight, int padWidth, String x) {
    Window.Padding sides =
        switch (padding) {
          case SYMMETRIC -> new Window.Padding(padHeight, padWidth, padHeight, padWidth);
          case SAME -> {
            int rows = missing(net.shape(x).size(0), height, stride);
            int columns = missing(net.shape(x).size(1), width, stride);
            yield new Window.Padding(rows / 2, columns / 2, rows - rows / 2, columns - columns / 2);
          }
        };
    return new Window(
        new Window.Size(height, width),
        new Window.Size(stride, stride),
        sides,
        new Window.Size(1, 1));
  }

  /** Pixels that ceil(size / stride) windows reach beyond an image. */
  private static int missing(long size, int kernel, int stride) {
    return Math.toIntExact(
        Math.max(0, (Math.ceilDiv(size, (long) stride) - 1) * stride + kernel - size));
  }

  /** Whether the file has a BatchNorm of this name. */
  boolean hasNorm(String name) {
    return state.has(name + ".running_mean")
        || state.hasLayer(name) && state.shape(name + ".weight").rank() == 1;
  }

  /** A BatchNorm; nothing where the file has none of this name, since it may be folded. */
  String norm(String name, String x) {
    if (!hasNorm(name)) {
      return x;
    }
    String part = state.has(name + ".running_mean") ? ".running_mean" : ".weight";
    return net.add(name, new Operator.BatchNorm(state.shape(name + part).size(0), epsilon), x);
  }

  String activation(String name, ActivationFunction function, String x) {
    return net.add(name, new Operator.Activation(function), x);
  }

  String prelu(String name, String x) {
    return net.add(name, new Operator.PRelu(state.outputs(name)), x);
  }

  String add(String name, String x, String y) {
    return net.add(name, new Operator.Add(), x, y);
  }

  String concat(String name, List<String> inputs) {
    return net.add(name, new Operator.Concat(), inputs.toArray(String[]::new));
  }

  /** A square pool. */
  String pool(String name, Operator.Pool.Kind kind, int kernel, int stride, int pad, String x) {
    return net.add(name, new Operator.Pool(kind, window(kernel, kernel, stride, pad, pad, x)), x);
  }

  /**
   * A square pool that also has windows which begin in the image and reach beyond it by up to
   * stride - 1 (PyTorch's ceil_mode).
   */
  String poolCeil(String name, Operator.Pool.Kind kind, int kernel, int stride, int pad, String x) {
    int bottom = pad + beyond(net.shape(x).size(0), kernel, stride, pad);
    int right = pad + beyond(net.shape(x).size(1), kernel, stride, pad);
    Window window =
        new Window(
            new Window.Size(kernel, kernel),
            new Window.Size(stride, stride),
            new Window.Padding(pad, pad, bottom, right),
            new Window.Size(1, 1));
    return net.add(name, new Operator.Pool(kind, window), x);
  }

  private static int beyond(long size, int kernel, int stride, int pad) {
    long over = (size + 2L * pad - kernel) % stride;
    if (over == 0) {
      return 0;
    }
    // The last window must begin in the image or the padding before it.
    long start = ((size + 2L * pad - kernel) / stride + 1) * stride;
    return start >= size + pad ? 0 : Math.toIntExact(stride - over);
  }

  String globalPool(String name, String x) {
    return net.add(name, new Operator.GlobalAveragePool(), x);
  }

  /** A fully connected layer; its weight may be that of a 1x1 convolution of pooled features. */
  String linear(String name, String x) {
    return linear(name, state.has(name + ".bias"), x);
  }

  /** The last one. As a convolution it may have no bias in the file; it has one to train. */
  private String classifier(String name, String x) {
    return linear(name, state.has(name + ".bias") || state.shape(name + ".weight").rank() == 4, x);
  }

  private String linear(String name, boolean bias, String x) {
    Shape weight = matrix(name);
    return net.add(name, new Operator.Linear(weight.size(1), weight.size(0), bias), x);
  }

  private Shape matrix(String name) {
    Shape weight = state.shape(name + ".weight");
    boolean matrix =
        weight.rank() == 2 || weight.rank() == 4 && weight.size(2) == 1 && weight.size(3) == 1;
    if (!matrix) {
      throw new RefusedException(
          "tensor %s.weight has shape %s, no matrix".formatted(name, weight));
    }
    return weight;
  }

  /**
   * Mean over the image, or over as many equal parts of it as the classifier reads, flattened, and
   * the classifier.
   *
   * @param classifier name of the linear layer
   */
  String head(String pool, String classifier, String x) {
    long features = matrix(classifier).size(1);
    Shape shape = net.shape(x);
    if (features == shape.size(2)) {
      return classifier(classifier, globalPool(pool, x));
    }
    long parts = Math.round(Math.sqrt((double) features / shape.size(2)));
    boolean fits =
        parts > 0
            && parts * parts * shape.size(2) == features
            && shape.size(0) == shape.size(1)
            && shape.size(0) % parts == 0;
    if (!fits) {
      throw new RefusedException(
          "tensor %s.weight reads %d features, which no average of the %s before it gives: is the input size right?"
              .formatted(classifier, features, shape));
    }
    int side = Math.toIntExact(shape.size(0) / parts);
    String y = x;
    if (side > 1) {
      y =
          net.add(
              pool, new Operator.Pool(Operator.Pool.Kind.AVERAGE, Window.square(side, side, 0)), y);
    }
    return classifier(classifier, net.add("flatten", new Operator.Flatten(), y));
  }

  /**
   * Squeeze-and-excitation (Hu et al. 2018): x times a gate of its mean, two linear layers and two
   * functions.
   *
   * @param name of what has no tensors
   */
  String excited(
      String name,
      String reduce,
      String expand,
      ActivationFunction inner,
      ActivationFunction gate,
      String x) {
    String y = net.add(name + ".avgpool", new Operator.GlobalAveragePool(), x);
    y = linear(reduce, y);
    y = activation(name + ".activation", inner, y);
    y = linear(expand, y);
    y = activation(name + ".gate", gate, y);
    return net.add(name + ".scale", new Operator.Mul(), x, y);
  }

  /**
   * What a name ends with: the classes and the size where they are not ImageNet's.
   *
   * @param classifier name of the last layer
   */
  String suffix(String classifier) {
    return suffix(classifier, Topologies.IMAGE_NET_SIZE);
  }

  /** Likewise, where another size is usual. */
  String suffix(String classifier, int usual) {
    int size = Math.toIntExact(shape(Model.IMAGE).size(0));
    return Topologies.suffix(
        Math.toIntExact(state.outputs(classifier)),
        size == usual ? Topologies.IMAGE_NET_SIZE : size);
  }

  /** The model whose output is the last layer. */
  Model build(String name) {
    return net.build(name);
  }
}
