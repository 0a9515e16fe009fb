package org.hast4j.nn;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;

/**
 * A classifier as a value: its structure, the normalisation its input expects, and its weights on
 * the host by PyTorch name, convolutions in OHWI order. Arrays are shared, not copied; whoever
 * makes a network must not change them later.
 */
public record Network(Model model, Normalization normalization, Map<String, float[]> weights) {

  /**
   * Checks that the model can be computed and has weights, that the normalisation has the input's
   * channels, and that every parameter and statistic is there, has its size, and is a number.
   *
   * @throws RefusedException naming the first that is no number, or another number of channels
   * @throws IllegalArgumentException naming the first that is missing or has another size
   */
  public Network {
    Forward.check(model);
    if (model.weighted().isEmpty()) {
      throw new RefusedException(
          model.name() + " has no convolution and no linear layer: it has no weights to quantise");
    }
    if (normalization.channels() != model.input().channels()) {
      throw new RefusedException(
          "%s takes images of %d channels, the normalisation has %d"
              .formatted(model.name(), model.input().channels(), normalization.channels()));
    }
    Set<String> known = new LinkedHashSet<>();
    for (ParameterLayout layout :
        new ParameterLayout[] {
          ParameterLayout.parameters(model), ParameterLayout.statistics(model)
        }) {
      for (String name : layout.names()) {
        check(model, name, weights.get(name), layout.get(name));
        known.add(name);
      }
    }
    for (String name : weights.keySet()) {
      if (!known.contains(name)) {
        throw new IllegalArgumentException("%s has no tensor %s".formatted(model.name(), name));
      }
    }
    weights = Collections.unmodifiableMap(new LinkedHashMap<>(weights));
  }

  private static void check(Model model, String name, float[] values, ParameterLayout.Entry slot) {
    if (values == null) {
      throw new IllegalArgumentException(
          "%s needs tensor %s of shape %s".formatted(model.name(), name, slot.type().shape()));
    }
    if (values.length != slot.type().shape().elements()) {
      throw new IllegalArgumentException(
          "tensor %s must have shape %s (%d elements), got %d elements"
              .formatted(name, slot.type().shape(), slot.type().shape().elements(), values.length));
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
    return new Network(model, normalization, others);
  }

  /** Number of trained parameters. */
  public long parameterCount() {
    ParameterLayout layout = ParameterLayout.parameters(model);
    return layout.names().stream()
        .mapToLong(name -> layout.get(name).type().shape().elements())
        .sum();
  }
}
