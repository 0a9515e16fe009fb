package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.ActivationFunction;

/**
 * What a state dict cannot say, by words, as a family's builder asks for it: what is given, else
 * what the naming of its tensors implies, else what is usual. All but the first is assumed, and
 * written down.
 */
final class Assumptions {
  private final Map<String, String> given;
  private final Map<String, String> implied;
  private final Map<String, String> assumed = new LinkedHashMap<>();
  private final List<String> lines = new ArrayList<>();
  private final TreeSet<String> asked = new TreeSet<>();

  /**
   * Before anything was asked for.
   *
   * @param given by people, or the file's metadata
   * @param implied by the way the tensors are named
   */
  Assumptions(Map<String, String> given, Map<String, String> implied) {
    this.given = given;
    this.implied = implied;
  }

  /** Those of a network whose input size alone is not the usual. */
  static Assumptions ofSize(int size) {
    return new Assumptions(Map.of("size", Integer.toString(size)), Map.of());
  }

  /** Writes down something that a family takes for granted. */
  void say(String line) {
    lines.add(line);
  }

  /** The value of a word. */
  String text(String word, String usual) {
    return value(word, usual, Function.identity());
  }

  /**
   * The value of a word that is one of several constants.
   *
   * @throws RefusedException if what is given is none of them
   */
  <E extends Enum<E>> E oneOf(String word, Class<E> type, E usual) {
    return value(
        word,
        usual.name().toLowerCase(Locale.ROOT),
        text ->
            Arrays.stream(type.getEnumConstants())
                .filter(constant -> constant.name().equalsIgnoreCase(text))
                .findFirst()
                .orElseThrow(IllegalArgumentException::new));
  }

  /**
   * Input height and width, pixels.
   *
   * @throws RefusedException if what is given is no number
   */
  int size(int usual) {
    return value("size", Integer.toString(usual), Integer::valueOf);
  }

  /**
   * A count.
   *
   * @throws RefusedException if what is given is no number from 1 on
   */
  int number(String word, int usual) {
    return value(
        word,
        Integer.toString(usual),
        text -> {
          int number = Integer.parseInt(text);
          if (number < 1) {
            throw new IllegalArgumentException();
          }
          return number;
        });
  }

  /**
   * Of every BatchNorm.
   *
   * @throws RefusedException if what is given is no number
   */
  float epsilon(String usual) {
    return value("epsilon", usual, Float::valueOf);
  }

  /** How convolutions and pools pad. */
  PaddingStyle padding() {
    return oneOf("padding", PaddingStyle.class, PaddingStyle.SYMMETRIC);
  }

  /**
   * A stride for each of some parts.
   *
   * @param usual as many
   * @throws RefusedException if what is given is not as many numbers from 1 to 8
   */
  int[] strides(int... usual) {
    String text = Arrays.stream(usual).mapToObj(Integer::toString).collect(Collectors.joining("-"));
    return value(
        "strides",
        text,
        given -> {
          int[] strides = Arrays.stream(given.split("-", -1)).mapToInt(Integer::parseInt).toArray();
          if (strides.length != usual.length
              || Arrays.stream(strides).anyMatch(stride -> stride < 1 || stride > 8)) {
            throw new IllegalArgumentException();
          }
          return strides;
        });
  }

  /**
   * The activation function: relu, relu6, leaky_relu (of slope 0.01), hard_swish, silu, ..
   *
   * @throws RefusedException if what is given is none
   */
  ActivationFunction activation(String usual) {
    return value(
        "activation",
        usual,
        text ->
            switch (text) {
              case "relu6" -> ActivationFunction.boundedRelu(6);
              case "leaky_relu" -> ActivationFunction.leakyRelu(.01f);
              default ->
                  new ActivationFunction(
                      ActivationFunction.Kind.valueOf(text.toUpperCase(Locale.ROOT)));
            });
  }

  private <T> T value(String word, String usual, Function<String, T> parse) {
    asked.add(word);
    String text = given.get(word);
    if (text == null) {
      text = implied.getOrDefault(word, usual);
      assumed.put(word, text);
    }
    try {
      return parse.apply(text);
    } catch (IllegalArgumentException e) {
      throw new RefusedException(
          "%s cannot be '%s'; usual here is %s".formatted(word, text, usual), e);
    }
  }

  /**
   * Checks that all that was given has been asked for.
   *
   * @throws RefusedException naming what means nothing for this network
   */
  void checkUsed() {
    for (String word : given.keySet()) {
      if (!asked.contains(word)) {
        throw new RefusedException(
            "'%s' means nothing for this network; what can be given is %s"
                .formatted(word, String.join(", ", asked)));
      }
    }
  }

  /** What was assumed, by word. */
  Map<String, String> assumed() {
    return assumed;
  }

  /** All that was assumed, for people. */
  List<String> lines() {
    List<String> all = new ArrayList<>(lines);
    if (!assumed.isEmpty()) {
      all.add(
          assumed.entrySet().stream()
              .map(entry -> entry.getKey() + "=" + entry.getValue())
              .collect(Collectors.joining(", ")));
    }
    return all;
  }
}
