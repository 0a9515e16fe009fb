package org.hast4j.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.Shape;

/**
 * The structure of a classifier as a value: layers in order of execution, each reading earlier
 * ones, by name. It is what files hold, and it is checked as a whole when it is made: a Model that
 * exists has names that lead somewhere, shapes that fit and one output, [n, classes]. Immutable.
 */
public final class Model {
  /** What the built-in networks call their input. */
  public static final String IMAGE = "image";

  // Bounds on what a file may ask for, far beyond any network in use.
  private static final int MAX_LAYERS = 10_000;
  private static final int MAX_INPUTS = 256;
  private static final long MAX_PARAMETERS = Integer.MAX_VALUE - 8;

  private final String name;
  private final Input input;
  private final List<Layer> layers;
  private final String output;
  private final Map<String, Layer> byName = new LinkedHashMap<>();
  private final Map<String, Shape> shapes = new LinkedHashMap<>();
  private final Map<String, List<Layer>> readers = new HashMap<>();

  /**
   * The images a network takes.
   *
   * @param name what layers that read them call them
   * @param height pixels
   * @param width pixels
   */
  public record Input(String name, int height, int width, int channels) {
    private static final int MAX_SIDE = 4096;
    private static final int MAX_CHANNELS = 1024;

    /**
     * @throws RefusedException if a size is out of bounds
     */
    public Input {
      if (height < 1 || height > MAX_SIDE || width < 1 || width > MAX_SIDE) {
        throw new RefusedException(
            "images must have 1 to %d pixels a side, got height %d and width %d"
                .formatted(MAX_SIDE, height, width));
      }
      if (channels < 1 || channels > MAX_CHANNELS) {
        throw new RefusedException(
            "images must have 1 to %d channels, got %d".formatted(MAX_CHANNELS, channels));
      }
      if ((long) height * width * channels > OutputShapes.MAX_ELEMENTS) {
        throw new RefusedException(
            "images of %dx%dx%d are too large".formatted(height, width, channels));
      }
    }

    /** By the usual name. */
    public Input(int height, int width, int channels) {
      this(IMAGE, height, width, channels);
    }

    /** Values of one image. */
    public int size() {
      return height * width * channels;
    }
  }

  /**
   * A network.
   *
   * @param name how files and reports call it
   * @param layers in an order in which each can be computed
   * @param output name of the layer that gives the logits
   * @throws RefusedException naming the layer that does not fit, and why
   */
  public Model(String name, Input input, List<Layer> layers, String output) {
    this.name = name;
    this.input = input;
    this.layers = List.copyOf(layers);
    this.output = output;
    if (layers.isEmpty() || layers.size() > MAX_LAYERS) {
      throw new RefusedException(
          "%s must have 1 to %d layers, got %d".formatted(name, MAX_LAYERS, layers.size()));
    }
    Set<String> all = new HashSet<>();
    this.layers.forEach(layer -> all.add(layer.name()));
    shapes.put(input.name(), Shape.of(input.height(), input.width(), input.channels()));
    for (Layer layer : this.layers) {
      add(layer, all);
    }
    checkParameters();
    checkOutput();
  }

  private void add(Layer layer, Set<String> all) {
    String shown = Layer.quoted(layer.name());
    if (shapes.containsKey(layer.name())) {
      throw new RefusedException(
          layer.name().equals(input.name())
              ? "layer %s is named as the input is".formatted(shown)
              : "there are two layers named %s".formatted(shown));
    }
    if (layer.inputs().isEmpty() || layer.inputs().size() > MAX_INPUTS) {
      throw new RefusedException(
          "layer %s must read 1 to %d inputs, got %d"
              .formatted(shown, MAX_INPUTS, layer.inputs().size()));
    }
    for (String read : new LinkedHashSet<>(layer.inputs())) {
      if (!shapes.containsKey(read)) {
        throw new RefusedException(
            all.contains(read)
                ? "layer %s reads %s, which is not before it: put layers in an order in which each can be computed; loops cannot be"
                    .formatted(shown, Layer.quoted(read))
                : "layer %s reads %s, which is neither a layer nor the input %s"
                    .formatted(shown, Layer.quoted(read), Layer.quoted(input.name())));
      }
      readers.computeIfAbsent(read, _ -> new ArrayList<>()).add(layer);
    }
    shapes.put(layer.name(), OutputShapes.of(layer, shapes));
    byName.put(layer.name(), layer);
  }

  private void checkParameters() {
    parameters()
        .forEach(
            (parameter, shape) -> {
              if (shape.elements() > MAX_PARAMETERS) {
                throw new RefusedException(
                    "parameter %s has shape %s, more than %d values"
                        .formatted(Layer.quoted(parameter), shape, MAX_PARAMETERS));
              }
            });
  }

  private void checkOutput() {
    if (!byName.containsKey(output)) {
      throw new RefusedException(
          "the output is %s, which is no layer".formatted(Layer.quoted(output)));
    }
    for (Layer layer : layers) {
      if (!layer.name().equals(output) && !readers.containsKey(layer.name())) {
        throw new RefusedException(
            "layer %s is read by no layer, and the output is %s: leave out what the output does not need"
                .formatted(Layer.quoted(layer.name()), Layer.quoted(output)));
      }
    }
    if (readers.containsKey(output)) {
      throw new RefusedException(
          "layer %s is the output, and read by %s"
              .formatted(
                  Layer.quoted(output), Layer.quoted(readers.get(output).getFirst().name())));
    }
    Shape shape = shapes.get(output);
    if (shape.rank() != 1 || shape.size(0) < 2) {
      throw new RefusedException(
          "the output %s is %s: a classifier's is [n, classes], of at least 2 classes"
              .formatted(Layer.quoted(output), OutputShapes.text(shape)));
    }
  }

  public String name() {
    return name;
  }

  public Input input() {
    return input;
  }

  /** In order of execution. */
  public List<Layer> layers() {
    return layers;
  }

  /** Name of the layer that gives the logits. */
  public String output() {
    return output;
  }

  /** Number of classes. */
  public int classes() {
    return Math.toIntExact(shapes.get(output).size(0));
  }

  /** The layer of a name; empty for the input, and where there is none. */
  public Optional<Layer> layer(String name) {
    return Optional.ofNullable(byName.get(name));
  }

  /** The operator of a layer; empty for the input, and where there is none. */
  public Optional<Operator> op(String name) {
    return layer(name).map(Layer::op);
  }

  /** The layers that read a layer or the input, in order, each once. */
  public List<Layer> readers(String name) {
    return Collections.unmodifiableList(readers.getOrDefault(name, List.of()));
  }

  /**
   * Shape of the output of a layer, or of the input, an image at a time: [h, w, c] or [features].
   *
   * @throws IllegalArgumentException if there is none of that name
   */
  public Shape shape(String name) {
    Shape shape = shapes.get(name);
    if (shape == null) {
      throw new IllegalArgumentException(this.name + " has no layer " + Layer.quoted(name));
    }
    return shape;
  }

  /** Names of the layers with an operator of some kind, in order. */
  public List<String> names(Class<? extends Operator> kind) {
    return layers.stream().filter(layer -> kind.isInstance(layer.op())).map(Layer::name).toList();
  }

  /** Names of the layers whose results are activations, in order. */
  public List<String> activations() {
    return layers.stream().filter(layer -> layer.op().isActivation()).map(Layer::name).toList();
  }

  /** Names of the layers with weights that are quantized: convolutions and linear layers. */
  public List<String> weighted() {
    return layers.stream()
        .filter(
            layer ->
                layer.op() instanceof Operator.Convolution || layer.op() instanceof Operator.Linear)
        .map(Layer::name)
        .toList();
  }

  /**
   * Shapes of what is trained, by name, in order of the layers. Convolution weights are [outputs,
   * height, width, inputs / groups].
   */
  public Map<String, Shape> parameters() {
    Map<String, Shape> parameters = new LinkedHashMap<>();
    for (Layer layer : layers) {
      switch (layer.op()) {
        case Operator.Convolution conv -> {
          Window.Size kernel = conv.window().kernel();
          parameters.put(
              layer.parameter("weight"),
              Shape.of(
                  conv.outputs(), kernel.height(), kernel.width(), conv.inputs() / conv.groups()));
          if (conv.bias()) {
            parameters.put(layer.parameter("bias"), Shape.of(conv.outputs()));
          }
        }
        case Operator.BatchNorm norm -> {
          parameters.put(layer.parameter("weight"), Shape.of(norm.channels()));
          parameters.put(layer.parameter("bias"), Shape.of(norm.channels()));
        }
        case Operator.Linear linear -> {
          parameters.put(layer.parameter("weight"), Shape.of(linear.outputs(), linear.inputs()));
          if (linear.bias()) {
            parameters.put(layer.parameter("bias"), Shape.of(linear.outputs()));
          }
        }
        case Operator.PRelu prelu ->
            parameters.put(layer.parameter("weight"), Shape.of(prelu.channels()));
        case Operator.Activation _,
            Operator.Add _,
            Operator.Mul _,
            Operator.Concat _,
            Operator.Pool _,
            Operator.GlobalAveragePool _,
            Operator.Flatten _,
            Operator.ChannelPad _,
            Operator.ChannelShuffle _,
            Operator.Slice _ -> {}
      }
    }
    return parameters;
  }

  /** Shapes of the BatchNorms' running means and variances, by name, in order of the layers. */
  public Map<String, Shape> statistics() {
    Map<String, Shape> statistics = new LinkedHashMap<>();
    for (Layer layer : layers) {
      if (layer.op() instanceof Operator.BatchNorm norm) {
        statistics.put(layer.parameter("running_mean"), Shape.of(norm.channels()));
        statistics.put(layer.parameter("running_var"), Shape.of(norm.channels()));
      }
    }
    return statistics;
  }

  /** Multiplications, each with an addition, of convolutions and linear layers for one image. */
  public long multiplyAdds() {
    long sum = 0;
    for (Layer layer : layers) {
      long filter = 0;
      if (layer.op() instanceof Operator.Convolution conv) {
        Window.Size kernel = conv.window().kernel();
        filter = conv.inputs() / conv.groups() * kernel.height() * kernel.width();
      } else if (layer.op() instanceof Operator.Linear linear) {
        filter = linear.inputs();
      }
      sum += filter * shape(layer.name()).elements();
    }
    return sum;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Model that
        && name.equals(that.name)
        && input.equals(that.input)
        && layers.equals(that.layers)
        && output.equals(that.output);
  }

  @Override
  public int hashCode() {
    return Objects.hash(name, input, layers, output);
  }

  @Override
  public String toString() {
    return "%s of %d layers".formatted(name, layers.size());
  }

  /** Appends layers, for building a model step by step. */
  public static final class Builder {
    private final Input input;
    private final List<Layer> layers = new ArrayList<>();
    private final Map<String, Shape> shapes = new HashMap<>();

    public Builder(Input input) {
      this.input = input;
      shapes.put(input.name(), Shape.of(input.height(), input.width(), input.channels()));
    }

    /**
     * Appends a layer and gives its name back.
     *
     * @throws RefusedException if it cannot read its inputs
     * @throws IllegalArgumentException if an input is not there yet
     */
    public String add(String name, Operator op, String... inputs) {
      Layer layer = new Layer(name, op, List.of(inputs));
      for (String read : inputs) {
        shape(read);
      }
      shapes.put(name, OutputShapes.of(layer, shapes));
      layers.add(layer);
      return name;
    }

    /**
     * Shape of what a layer that is there gives, or of the input, an image at a time.
     *
     * @throws IllegalArgumentException if it is not there
     */
    public Shape shape(String name) {
      Shape shape = shapes.get(name);
      if (shape == null) {
        throw new IllegalArgumentException("there is no layer " + Layer.quoted(name) + " yet");
      }
      return shape;
    }

    /** The model whose output is the last layer. */
    public Model build(String name) {
      return new Model(name, input, layers, layers.getLast().name());
    }
  }
}
