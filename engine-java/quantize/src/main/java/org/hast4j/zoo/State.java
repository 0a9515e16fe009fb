package org.hast4j.zoo;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.Shape;

/**
 * Names and shapes of a state dict: all that a family's structure is built from.
 *
 * @param shapes by name, in PyTorch's order: convolutions [o, i / groups, h, w]
 */
record State(Map<String, Shape> shapes) {
  private static final int MOST_NAMED = 6;

  State {
    shapes = Collections.unmodifiableMap(new LinkedHashMap<>(shapes));
  }

  boolean has(String name) {
    return shapes.containsKey(name);
  }

  /** Whether a layer of this name has a weight. */
  boolean hasLayer(String layer) {
    return has(layer + ".weight");
  }

  /**
   * The shape of a tensor.
   *
   * @throws RefusedException if it is missing
   */
  Shape shape(String name) {
    Shape shape = shapes.get(name);
    if (shape == null) {
      throw new RefusedException("tensor %s is missing".formatted(name));
    }
    return shape;
  }

  /**
   * The shape of a layer's weight.
   *
   * @param rank number of dimensions it must have
   * @throws RefusedException if it is missing or has another number of dimensions
   */
  Shape weight(String layer, int rank) {
    Shape shape = shape(layer + ".weight");
    if (shape.rank() != rank) {
      throw new RefusedException(
          "tensor %s.weight has shape %s, %d dimensions are needed".formatted(layer, shape, rank));
    }
    return shape;
  }

  /**
   * Channels or features that a layer gives: the first size of its weight.
   *
   * @throws RefusedException if it is missing
   */
  long outputs(String layer) {
    return shape(layer + ".weight").size(0);
  }

  /**
   * The numbers that follow a prefix in names, sorted: of "layer1." in layer1.0.conv1.weight and
   * layer1.1.conv1.weight 0 and 1.
   */
  List<Integer> numbers(String prefix) {
    Pattern pattern = Pattern.compile(Pattern.quote(prefix) + "(\\d{1,6})(?:\\..*)?");
    return shapes.keySet().stream()
        .map(pattern::matcher)
        .filter(Matcher::matches)
        .map(matcher -> Integer.valueOf(matcher.group(1)))
        .distinct()
        .sorted()
        .toList();
  }

  /**
   * The numbers that follow a prefix in names, from {@code first} on.
   *
   * @throws RefusedException naming what is missing if there is none or a gap
   */
  List<Integer> consecutive(String prefix, int first) {
    List<Integer> numbers = numbers(prefix).stream().filter(number -> number >= first).toList();
    for (int i = 0; i < Math.max(1, numbers.size()); i++) {
      if (numbers.isEmpty() || numbers.get(i) != first + i) {
        throw new RefusedException("tensors %s%d.. are missing".formatted(prefix, first + i));
      }
    }
    return numbers;
  }

  /**
   * The numbers of stages, as {@link #numbers} gives them.
   *
   * @throws RefusedException if they are not 1, 2, 3, ..
   */
  List<Integer> stages(String prefix) {
    List<Integer> stages = numbers(prefix);
    if (stages.isEmpty() || stages.getFirst() != 1 || stages.getLast() != stages.size()) {
      throw new RefusedException("its stages %s are not numbered from 1 on".formatted(stages));
    }
    return stages;
  }

  /** The first few names, for messages. */
  String found() {
    Stream<String> names = shapes.keySet().stream().limit(MOST_NAMED);
    return "[%s%s]"
        .formatted(String.join(", ", names.toList()), shapes.size() > MOST_NAMED ? ", .." : "");
  }

  /** Names and shapes put down one by one. */
  static final class Builder {
    private final Map<String, Shape> shapes = new LinkedHashMap<>();

    /** A square convolution without a bias, and its BatchNorm. */
    void convolution(String name, String norm, long outputs, long inputs, int kernel) {
      shapes.put(name + ".weight", Shape.of(outputs, inputs, kernel, kernel));
      for (String part : List.of("weight", "bias", "running_mean", "running_var")) {
        shapes.put(norm + "." + part, Shape.of(outputs));
      }
    }

    /** The state that a linear layer ends. */
    State linear(String name, long outputs, long inputs) {
      shapes.put(name + ".weight", Shape.of(outputs, inputs));
      shapes.put(name + ".bias", Shape.of(outputs));
      return new State(shapes);
    }
  }
}
