package org.hast4j.bench;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.nn.Network;

/** Networks with weights of a trained network's size: timing needs no better ones. */
public final class RandomNetwork {
  private RandomNetwork() {}

  public static Network of(Model model) {
    Random random = new Random(1);
    Map<String, float[]> weights = new LinkedHashMap<>();
    for (ParameterLayout layout :
        List.of(ParameterLayout.parameters(model), ParameterLayout.statistics(model))) {
      for (String name : layout.names()) {
        long elements = layout.get(name).type().shape().elements();
        float[] values = new float[Math.toIntExact(elements)];
        if (layout.get(name).type().shape().rank() > 1) {
          double std = Math.sqrt(2.0 * layout.get(name).type().shape().size(0) / elements);
          for (int i = 0; i < values.length; i++) {
            values[i] = (float) (std * random.nextGaussian());
          }
        } else if (name.endsWith(".weight") || name.endsWith(".running_var")) {
          Arrays.fill(values, 1);
        }
        weights.put(name, values);
      }
    }
    return new Network(model, Normalization.CIFAR10, weights);
  }
}
