package org.hast4j.source.onnx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.StoredTensor;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.model.OutputShapes;
import org.hast4j.tensor.Shape;

/** The layers of a model as they are found; in the end those that the output needs have names. */
final class Steps {
  // Bounds what a graph can ask for: features of a batch are never cut so often.
  private static final int MAX_STEPS = 20_000;

  private final Model.Input input;
  private final Step image;
  private final List<Step> steps = new ArrayList<>();
  private final Map<Step, Step> flattened = new IdentityHashMap<>();
  // The image after a normalization that is left out; null where there is none.
  private Step normalizedImage;
  private double[][] normalization;

  Steps(Model.Input input) {
    this.input = input;
    image =
        new Step(
            input.name(),
            null,
            List.of(),
            Map.of(),
            Shape.of(input.height(), input.width(), input.channels()));
  }

  Operand.Feature image() {
    return natural(image);
  }

  private static Operand.Feature natural(Step step) {
    return new Operand.Feature(step, step.sizes());
  }

  /** A layer without tensors. */
  Operand.Feature add(String name, Operator op, Operand.Feature... inputs) {
    return add(name, op, Map.of(), inputs);
  }

  /**
   * A layer.
   *
   * @param inputs by their natural sizes
   * @throws RefusedException if it does not fit them
   */
  Operand.Feature add(
      String name, Operator op, Map<String, Parameter> parameters, Operand.Feature... inputs) {
    return add(name, op, parameters, Arrays.stream(inputs).map(Operand.Feature::step).toList());
  }

  private Operand.Feature add(
      String name, Operator op, Map<String, Parameter> parameters, List<Step> inputs) {
    Map<String, Shape> known = new LinkedHashMap<>();
    for (Step step : inputs) {
      known.put("input " + known.size(), step.shape());
    }
    Shape shape = OutputShapes.of(new Layer(name(name), op, List.copyOf(known.keySet())), known);
    if (steps.size() == MAX_STEPS) {
      throw new RefusedException("the graph comes to more than %d layers".formatted(MAX_STEPS));
    }
    Step step = new Step(name(name), op, inputs, parameters, shape);
    steps.add(step);
    return natural(step);
  }

  private static String name(String wanted) {
    String clean = Names.clean(wanted);
    return clean.isBlank() ? "layer" : clean;
  }

  /** The same layer with other tensors, beside it. */
  Operand.Feature changed(Step step, Operator op, Map<String, Parameter> parameters) {
    return add(step.name(), op, parameters, step.inputs());
  }

  /** Features as one vector. */
  Operand.Feature flattened(Step step) {
    return natural(
        flattened.computeIfAbsent(
            step,
            _ ->
                add(step.name() + ".flatten", new Operator.Flatten(), Map.of(), List.of(step))
                    .step()));
  }

  /**
   * The image as scale pixel + shift, which is left to whoever prepares images.
   *
   * @throws RefusedException if it is another than the one before
   */
  Operand.Feature normalizedImage(double[] scale, double[] shift) {
    double[][] both = {scale, shift};
    if (normalizedImage == null) {
      normalization = both;
      normalizedImage = new Step(image.name(), null, List.of(), Map.of(), image.shape());
    } else if (!Arrays.deepEquals(normalization, both)) {
      throw new RefusedException("the graph normalizes its input in two ways");
    }
    return natural(normalizedImage);
  }

  boolean isImage(Step step) {
    return step == image;
  }

  /**
   * The normalization that the graph has in itself.
   *
   * @throws RefusedException if it is none that images can be prepared with
   */
  Optional<Normalization> normalization() {
    if (normalization == null) {
      return Optional.empty();
    }
    int channels = input.channels();
    double[] mean = new double[channels];
    double[] std = new double[channels];
    for (int c = 0; c < channels; c++) {
      double scale = normalization[0][normalization[0].length == 1 ? 0 : c];
      mean[c] = -normalization[1][normalization[1].length == 1 ? 0 : c] / scale;
      std[c] = 1 / scale;
    }
    // Pixels are 0 to 1, or 0 to 255: a deviation tells which.
    double unit = Arrays.stream(std).max().orElseThrow() > 1 ? 255 : 1;
    return Optional.of(new Normalization(floats(mean, unit), floats(std, unit)));
  }

  private static float[] floats(double[] values, double unit) {
    float[] floats = new float[values.length];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = (float) (values[i] / unit);
    }
    return floats;
  }

  /**
   * The model of the layers that an output needs.
   *
   * @param tensors gets the model's tensors by their names
   * @throws RefusedException if it is no classifier
   */
  Model model(String name, Step output, Map<String, StoredTensor> tensors) {
    if (output.isInput()) {
      throw new RefusedException("the output is the input: there is no network");
    }
    Set<Step> needed = needed(output);
    if (needed.contains(image) && normalizedImage != null && needed.contains(normalizedImage)) {
      throw new RefusedException(
          "the graph reads its input both with and without the normalization in it");
    }
    Map<Step, String> names = new HashMap<>();
    names.put(image, input.name());
    if (normalizedImage != null) {
      names.put(normalizedImage, input.name());
    }
    Set<String> taken = new HashSet<>(Set.of(input.name()));
    Map<String, Integer> numbers = new HashMap<>();
    List<Layer> layers = new ArrayList<>();
    for (Step step : steps) {
      if (needed.contains(step)) {
        String unique = unique(step.name(), taken, numbers);
        names.put(step, unique);
        Layer layer = new Layer(unique, step.op(), step.inputs().stream().map(names::get).toList());
        layers.add(layer);
        step.parameters().forEach((part, tensor) -> tensors.put(layer.parameter(part), tensor));
      }
    }
    return new Model(name, input, layers, names.get(output));
  }

  private static String unique(String wanted, Set<String> taken, Map<String, Integer> numbers) {
    String name = wanted;
    while (!taken.add(name)) {
      name = wanted + "_" + numbers.merge(wanted, 1, Integer::sum);
    }
    return name;
  }

  private Set<Step> needed(Step output) {
    Set<Step> needed = Collections.newSetFromMap(new IdentityHashMap<>());
    needed.add(output);
    // A step stands behind those that it reads.
    for (Step step : steps.reversed()) {
      if (needed.contains(step)) {
        needed.addAll(step.inputs());
      }
    }
    return needed;
  }
}
