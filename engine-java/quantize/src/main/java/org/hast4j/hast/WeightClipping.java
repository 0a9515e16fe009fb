package org.hast4j.hast;

import java.util.LinkedHashMap;
import java.util.Map;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;
import org.hast4j.tensor.Shape;

/**
 * Clips every filter to the bounds at which the squared error of quantising it is least. A filter's
 * range is that of its weights, so the quantiser spreads its levels over those bounds.
 */
final class WeightClipping {
  private static final int LEAST = 6;
  private static final int MOST = 20;

  private WeightClipping() {}

  /** The network with clipped convolution and linear weights. */
  static Network of(Network network, Scheme scheme) {
    Map<String, float[]> weights = new LinkedHashMap<>(network.weights());
    Map<String, Shape> shapes = network.model().parameters();
    for (String layer : network.model().weighted()) {
      String name = layer + ".weight";
      float[] values = weights.get(name).clone();
      int rows = Math.toIntExact(shapes.get(name).size(0));
      int columns = values.length / rows;
      for (int row = 0; row < rows; row++) {
        clip(values, row * columns, (row + 1) * columns, scheme.weightBits(layer));
      }
      weights.put(name, values);
    }
    return network.withWeights(weights);
  }

  private static void clip(float[] values, int from, int to, int bits) {
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    for (int i = from; i < to; i++) {
      min = Math.min(min, values[i]);
      max = Math.max(max, values[i]);
    }
    float low = min;
    float high = max;
    double least = Double.POSITIVE_INFINITY;
    for (int i = MOST; i >= LEAST; i--) {
      for (int j = MOST; j >= LEAST; j--) {
        // A bound beyond all weights is none: the quantiser would not see it.
        float a = Math.max(min, min * i / MOST);
        float b = Math.min(max, max * j / MOST);
        double error = a < b ? RangeSearch.error(values, from, to, a, b, bits) : least;
        if (error < least) {
          least = error;
          low = a;
          high = b;
        }
      }
    }
    for (int i = from; i < to; i++) {
      values[i] = Math.clamp(values[i], low, high);
    }
  }
}
