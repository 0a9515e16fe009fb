package org.hast4j.hast;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.nn.Network;

/** Networks with statistics of their own, and others that compute the same. */
public final class Networks {
  private Networks() {}

  /** Random weights behind which means, variances, scales and shifts are all different. */
  public static Network of(Model model, long seed) {
    Random random = new Random(seed);
    Map<String, float[]> weights = new LinkedHashMap<>(Initialization.network(model, seed));
    weights.replaceAll(
        (name, values) -> {
          float[] changed = values.clone();
          for (int i = 0; i < changed.length; i++) {
            if (name.endsWith(".running_mean") || name.endsWith(".bias")) {
              changed[i] += (float) (.2 * random.nextGaussian());
            } else if (name.endsWith(".running_var")) {
              changed[i] = (float) Math.exp(random.nextGaussian());
            }
          }
          return changed;
        });
    return new Network(model, Normalization.CIFAR10, weights);
  }

  /**
   * The same function: every filter in front of a BatchNorm times a factor c, its mean times c, its
   * variance c² (variance + epsilon) - epsilon, as a file with one epsilon a layer has it.
   *
   * @param factor of the filter of this number, counted over the network
   */
  static Network rescaled(Network network, IntToDoubleFunction factor) {
    Map<String, float[]> weights = new LinkedHashMap<>(network.weights());
    int filter = 0;
    for (Layer unit : network.model().layers()) {
      if (unit.op() instanceof Operator.BatchNorm norm) {
        String conv = unit.input() + ".weight";
        float[] weight = weights.get(conv).clone();
        float[] mean = weights.get(unit.name() + ".running_mean").clone();
        float[] variance = weights.get(unit.name() + ".running_var").clone();
        int size = weight.length / mean.length;
        for (int channel = 0; channel < mean.length; channel++) {
          float c = (float) factor.applyAsDouble(filter++);
          for (int i = channel * size; i < (channel + 1) * size; i++) {
            weight[i] *= c;
          }
          mean[channel] *= c;
          variance[channel] = c * c * (variance[channel] + norm.epsilon()) - norm.epsilon();
        }
        weights.put(conv, weight);
        weights.put(unit.name() + ".running_mean", mean);
        weights.put(unit.name() + ".running_var", variance);
      }
    }
    return network.withWeights(weights);
  }
}
