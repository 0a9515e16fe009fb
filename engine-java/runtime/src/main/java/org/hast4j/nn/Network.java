package org.hast4j.nn;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.hast4j.failure.RefusedException;
import org.hast4j.graph.Pooling;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.ModelDescription;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.model.Preprocessing;
import org.hast4j.model.Resize;
import org.hast4j.model.Window;
import org.hast4j.tensor.Shape;

/**
 * A classifier as a value: its structure, how a picture becomes its input, and its weights on the
 * host by PyTorch name, convolutions in OHWI order. Arrays are shared, not copied; whoever makes a
 * network must not change them later.
 *
 * @param classNames of every class, in their order; empty where nobody said them
 */
public record Network(
    Model model,
    Preprocessing preprocessing,
    List<String> classNames,
    Map<String, float[]> weights) {

  /**
   * Checks that the model can be computed and has weights, that {@link ModelDescription} takes the
   * rest, and that every parameter and statistic is there, has its size, and is a number.
   *
   * @throws RefusedException naming the first that is no number, or another number of channels or
   *     classes
   * @throws IllegalArgumentException naming the first that is missing or has another size
   */
  public Network {
    check(model);
    classNames = description(model, preprocessing, classNames).classNames();
    Set<String> known = new LinkedHashSet<>();
    Map<String, float[]> given = weights;
    for (Map<String, Shape> shapes : List.of(model.parameters(), model.statistics())) {
      shapes.forEach((name, shape) -> check(model, name, given.get(name), shape));
      known.addAll(shapes.keySet());
    }
    for (String name : weights.keySet()) {
      if (!known.contains(name)) {
        throw new IllegalArgumentException("%s has no tensor %s".formatted(model.name(), name));
      }
    }
    weights = Collections.unmodifiableMap(new LinkedHashMap<>(weights));
  }

  /** A network whose pictures are resized as usual, and whose classes have no names. */
  public Network(Model model, Normalization normalization, Map<String, float[]> weights) {
    this(model, new Preprocessing(normalization), List.of(), weights);
  }

  public Normalization normalization() {
    return preprocessing.normalization();
  }

  /** What a file says of the network beside its tensors. */
  public ModelDescription description() {
    return description(model, preprocessing, classNames);
  }

  private static ModelDescription description(
      Model model, Preprocessing preprocessing, List<String> classNames) {
    return new ModelDescription(
        model, Optional.of(preprocessing.normalization()), preprocessing.resize(), classNames);
  }

  private static void check(Model model, String name, float[] values, Shape shape) {
    if (values == null) {
      throw new IllegalArgumentException(
          "%s needs tensor %s of shape %s".formatted(model.name(), name, shape));
    }
    if (values.length != shape.elements()) {
      throw new IllegalArgumentException(
          "tensor %s must have shape %s (%d elements), got %d elements"
              .formatted(name, shape, shape.elements(), values.length));
    }
    checkNumbers(name, values);
  }

  /**
   * Refuses a tensor that cannot be a trained network's.
   *
   * @throws RefusedException naming the first value that is no number, or no variance
   */
  public static void checkNumbers(String name, float[] values) {
    boolean variance = name.endsWith(".running_var");
    for (int i = 0; i < values.length; i++) {
      if (!Float.isFinite(values[i])) {
        throw new RefusedException(
            "tensor %s holds %s at index %d: the checkpoint is damaged"
                .formatted(name, values[i], i));
      }
      if (variance && values[i] < 0) {
        throw new RefusedException(
            "variance %s is negative (%s) at index %d: the checkpoint is damaged"
                .formatted(name, values[i], i));
      }
    }
  }

  /** The same network with other weights. */
  public Network withWeights(Map<String, float[]> others) {
    return new Network(model, preprocessing, classNames, others);
  }

  /** The same network with another input and output, as far as these are not the weights'. */
  public Network with(Preprocessing other, List<String> names) {
    return new Network(model, other, names, weights);
  }

  /** The same network, its pictures resized as is said, and for the rest as before. */
  public Network with(Resize said) {
    return with(new Preprocessing(normalization(), said.or(preprocessing.resize())), classNames);
  }

  /** Number of trained parameters. */
  public long parameterCount() {
    return model.parameters().values().stream().mapToLong(Shape::elements).sum();
  }

  /**
   * Checks that there is a kernel for every layer, which a model need not have, and that there are
   * weights.
   *
   * @throws RefusedException naming the first layer that cannot be computed, and why
   */
  public static void check(Model model) {
    for (Layer layer : model.layers()) {
      if (layer.op() instanceof Operator.Pool pool) {
        obstacle(pool)
            .ifPresent(
                why -> {
                  throw new RefusedException(
                      "%s: layer %s cannot be computed yet: %s"
                          .formatted(model.name(), layer.name(), why));
                });
      }
    }
    if (model.weighted().isEmpty()) {
      throw new RefusedException(
          model.name() + " has no convolution and no linear layer: it has no weights to quantise");
    }
  }

  private static Optional<String> obstacle(Operator.Pool pool) {
    Window.Size kernel = pool.window().kernel();
    if (!pool.window().dilations().equals(new Window.Size(1, 1))) {
      return Optional.of(
          "its pool's window has a dilation (%s)".formatted(pool.window().dilations()));
    }
    return pool.kind() == Operator.Pool.Kind.MAX
            && kernel.height() * kernel.width() > Pooling.MaxPool.MAX_CELLS
        ? Optional.of(
            "its max pool's window (%s) has more than %d cells"
                .formatted(kernel, Pooling.MaxPool.MAX_CELLS))
        : Optional.empty();
  }
}
