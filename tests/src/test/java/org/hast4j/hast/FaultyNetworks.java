package org.hast4j.hast;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.model.Window;
import org.hast4j.nn.Network;

/** What goes wrong between training a network and handing it in, done to a healthy one. */
final class FaultyNetworks {
  private FaultyNetworks() {}

  private static Map<String, float[]> copy(Network network) {
    Map<String, float[]> weights = new LinkedHashMap<>();
    network.weights().forEach((name, values) -> weights.put(name, values.clone()));
    return weights;
  }

  /** Statistics as before any training. */
  static Network fresh(Network network) {
    Map<String, float[]> weights = copy(network);
    weights.forEach(
        (name, values) -> {
          if (name.endsWith(".running_mean")) {
            Arrays.fill(values, 0);
          } else if (name.endsWith(".running_var")) {
            Arrays.fill(values, 1);
          }
        });
    return network.withWeights(weights);
  }

  /** Two BatchNorms of the same width in each other's place. */
  static Network exchanged(Network network, String one, String other) {
    Map<String, float[]> weights = copy(network);
    for (String part : List.of(".weight", ".bias", ".running_mean", ".running_var")) {
      float[] kept = weights.get(one + part);
      weights.put(one + part, weights.get(other + part));
      weights.put(other + part, kept);
    }
    return network.withWeights(weights);
  }

  /** Convolutions as before training, with the statistics of the trained ones. */
  static Network randomFilters(Network network, long seed) {
    Map<String, float[]> weights = copy(network);
    Initialization.network(network.model(), seed)
        .forEach(
            (name, values) -> {
              if (name.contains("conv") || name.endsWith("downsample.0.weight")) {
                weights.put(name, values);
              }
            });
    return network.withWeights(weights);
  }

  /**
   * The same function as one trained with an epsilon of {@code trained}, its filters scaled until a
   * layer's median variance is {@code variance}; what reads it takes its own epsilon.
   */
  static Network otherEpsilon(Network network, double trained, double variance) {
    Map<String, float[]> weights = copy(network);
    for (Layer unit : network.model().layers()) {
      if (unit.op() instanceof Operator.BatchNorm norm) {
        float[] variances = weights.get(unit.name() + ".running_var");
        float[] gains = weights.get(unit.name() + ".weight");
        double[] sorted = sorted(variances);
        float factor = (float) Math.sqrt(variance / sorted[sorted.length / 2]);
        for (int c = 0; c < gains.length; c++) {
          double before = factor * factor * ((double) variances[c] + norm.epsilon());
          double after = factor * factor * (double) variances[c] + trained;
          gains[c] *= (float) Math.sqrt(after / before);
        }
        scale(network, weights, unit, factor);
      }
    }
    return network.withWeights(weights);
  }

  private static double[] sorted(float[] values) {
    double[] sorted = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      sorted[i] = values[i];
    }
    Arrays.sort(sorted);
    return sorted;
  }

  /** Multiplies filters and their statistics: the same function but for epsilon. */
  private static void scale(
      Network network, Map<String, float[]> weights, Layer norm, float factor) {
    String filters = norm.input();
    times(weights.get(filters + ".weight"), factor);
    times(weights.get(norm.name() + ".running_mean"), factor);
    times(weights.get(norm.name() + ".running_var"), factor * factor);
  }

  private static void times(float[] values, float factor) {
    for (int i = 0; i < values.length; i++) {
      values[i] *= factor;
    }
  }

  /**
   * The same function, with layer number l's filters and statistics scaled by 8 and 1/4 in turn.
   */
  static Network scaled(Network network) {
    Map<String, float[]> weights = copy(network);
    int norms = 0;
    for (Layer unit : network.model().layers()) {
      if (unit.op() instanceof Operator.BatchNorm) {
        scale(network, weights, unit, norms++ % 2 == 0 ? 8 : .25f);
      }
    }
    return network.withWeights(weights);
  }

  /** The first unit of each stage, layer1 to layer3, with other strides. */
  static Network restrided(Network network, int... strides) {
    Model model = network.model();
    List<Layer> layers = new ArrayList<>();
    for (Layer layer : model.layers()) {
      boolean strided = layer.name().matches("layer\\d\\.0\\.(conv1|downsample\\.0|shortcut)");
      int stride = strided ? strides[layer.name().charAt("layer".length()) - '1'] : 1;
      Operator op = layer.op();
      if (strided && op instanceof Operator.Convolution conv) {
        Window window = conv.window();
        op =
            new Operator.Convolution(
                conv.inputs(),
                conv.outputs(),
                window.kernel().height(),
                stride,
                window.padding().top());
      } else if (strided && op instanceof Operator.ChannelPad pad) {
        op = new Operator.ChannelPad(stride, pad.channels());
      }
      layers.add(new Layer(layer.name(), op, layer.inputs()));
    }
    Model other = new Model(model.name() + "-restrided", model.input(), layers, model.output());
    return new Network(other, network.normalization(), network.weights());
  }
}
