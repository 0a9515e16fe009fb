package org.hast4j.model;

import java.util.List;
import org.hast4j.failure.RefusedException;

/**
 * One step of a network.
 *
 * @param name what its parameters' names begin with, and what other layers and files call its
 *     output
 * @param op what it computes
 * @param inputs names of the layers, or of the network's input, that it reads
 */
public record Layer(String name, Operator op, List<String> inputs) {
  private static final int MAX_NAME = 200;

  /**
   * Checks the name.
   *
   * @throws RefusedException if it is blank, very long, or has control characters
   */
  public Layer {
    inputs = List.copyOf(inputs);
    if (name.isBlank()
        || name.length() > MAX_NAME
        || name.chars().anyMatch(Character::isISOControl)) {
      throw new RefusedException(
          "a layer's name has 1 to %d printable characters, got %s"
              .formatted(MAX_NAME, quoted(name)));
    }
  }

  /** A name in quotes, without what would spoil a message. */
  static String quoted(String name) {
    String shown = name.length() > MAX_NAME ? name.substring(0, MAX_NAME) + ".." : name;
    return '"' + shown.replaceAll("\\p{Cntrl}", "?") + '"';
  }

  /** What it reads first, for the operators that read one input. */
  public String input() {
    return inputs.getFirst();
  }

  /** Name of one of its tensors: "conv1.weight". */
  public String parameter(String part) {
    return name + "." + part;
  }
}
