package org.hast4j.hast;

import java.util.Map;
import org.hast4j.exec.Memory;
import org.hast4j.nn.Parameters;
import org.hast4j.tensor.Shape;

/**
 * The scale of a network's weights and statistics. Behind a BatchNorm neither changes what the
 * network computes, but both decide what a learning rate or a loss weight means, and networks
 * trained with different weight decays differ in them by orders of magnitude.
 */
final class NetworkScale {
  private NetworkScale() {}

  /**
   * Mean squared norm of the convolutions' filters: a gradient step of a given rate turns a filter
   * by an angle that falls with its square.
   */
  static float squaredFilterNorm(Parameters network, Memory memory) {
    double sum = 0;
    long filters = 0;
    Map<String, float[]> weights = network.download(memory);
    for (String name : network.trained().names()) {
      Shape shape = network.trained().get(name).type().shape();
      if (shape.rank() == 4) {
        for (float value : weights.get(name)) {
          sum += (double) value * value;
        }
        filters += shape.size(0);
      }
    }
    return (float) (sum / filters);
  }

  /** A recipe's weight of the BN-statistic loss, in units of the network's statistics if scaled. */
  static float statisticsWeight(float weight, boolean scaled, Parameters network, Memory memory) {
    return scaled ? weight / squaredVariance(network.download(memory)) : weight;
  }

  /**
   * Mean squared running variance, over channels and then layers: the unit of the BN-statistic
   * loss.
   *
   * @param weights of a network, by name
   */
  static float squaredVariance(Map<String, float[]> weights) {
    double sum = 0;
    int layers = 0;
    for (Map.Entry<String, float[]> entry : weights.entrySet()) {
      if (entry.getKey().endsWith(".running_var")) {
        double layer = 0;
        for (float variance : entry.getValue()) {
          layer += (double) variance * variance;
        }
        sum += layer / entry.getValue().length;
        layers++;
      }
    }
    return (float) (sum / layers);
  }
}
