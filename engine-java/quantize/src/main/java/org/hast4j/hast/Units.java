package org.hast4j.hast;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.nn.Network;
import org.hast4j.tensor.Shape;

/**
 * A network in the units that losses and learning rates are stated in: its own, or its normal form
 * (algorithm section 6).
 *
 * <p>A filter in front of a BatchNorm may be multiplied by any c &gt; 0, its statistics with it
 * (mean times c, variance + epsilon times c²), and the network computes the same. In the normal
 * form c is 1 / sqrt(variance + epsilon): every BatchNorm divides by 1. What is stated there is the
 * same for all networks that compute the same; where the factors are powers of two it is the same
 * bit for bit, since variance + epsilon is added in float32, as the kernels add it.
 */
final class Units {
  /** A layer whose median variance is this many times epsilon does not depend on it. */
  private static final float MANY_EPSILONS = 20;

  /**
   * Share of its layer's mean squared filter norm below which a filter's output is as good as
   * constant.
   */
  private static final double NEGLIGIBLE = 1e-6;

  private final Network network;
  private final Map<String, Statistics> statistics;
  private final boolean normal;

  /**
   * What one BatchNorm's statistics are held against, per channel.
   *
   * @param mean the running mean
   * @param variance the running variance that the batch's should have
   * @param squaredUnit running variance plus epsilon
   */
  record Statistics(float[] mean, float[] variance, float[] squaredUnit) {
    /** Mean over the channels of ((m - mean) / unit)² + ((v - variance) / unit²)². */
    double mismatch(float[] batchMean, float[] batchVariance) {
      double sum = 0;
      for (int i = 0; i < mean.length; i++) {
        double mean = (double) batchMean[i] - this.mean[i];
        double variance = ((double) batchVariance[i] - this.variance[i]) / squaredUnit[i];
        sum += mean * mean / squaredUnit[i] + variance * variance;
      }
      return sum / mean.length;
    }
  }

  private Units(Network network, Map<String, Statistics> statistics, boolean normal) {
    this.network = network;
    this.statistics = statistics;
    this.normal = normal;
  }

  /** The network as it is. */
  public static Units own(Network network) {
    Map<String, Statistics> statistics = new LinkedHashMap<>();
    for (Layer layer : network.model().layers()) {
      if (layer.op() instanceof Operator.BatchNorm norm) {
        statistics.put(layer.name(), own(network, layer.name(), norm));
      }
    }
    return new Units(network, statistics, false);
  }

  private static Statistics own(Network network, String name, Operator.BatchNorm norm) {
    float[] variance = network.weights().get(name + ".running_var");
    return new Statistics(
        network.weights().get(name + ".running_mean"), variance, squaredUnit(variance, norm));
  }

  /** The normal form of a network. */
  public static Units normal(Network network) {
    return normal(network, false);
  }

  /** The normal form, with the variances as the network has them, whatever its epsilon. */
  static Units normalAsStored(Network network) {
    return normal(network, true);
  }

  private static Units normal(Network network, boolean asStored) {
    Model model = network.model();
    Map<String, float[]> weights = new LinkedHashMap<>(network.weights());
    Map<String, Statistics> statistics = new LinkedHashMap<>();
    for (Layer layer : model.layers()) {
      if (layer.op() instanceof Operator.BatchNorm norm) {
        Optional<Layer> filters = filters(model, layer);
        statistics.put(
            layer.name(),
            filters.isPresent()
                ? normalize(weights, filters.get(), layer.name(), norm, asStored)
                : own(network, layer.name(), norm));
      }
    }
    return new Units(network.withWeights(weights), statistics, true);
  }

  /** The convolution in front of a BatchNorm, if nothing else reads its result. */
  private static Optional<Layer> filters(Model model, Layer norm) {
    return model
        .layer(norm.input())
        .filter(layer -> layer.op() instanceof Operator.Convolution)
        .filter(layer -> model.readers(layer.name()).size() == 1);
  }

  private static Statistics normalize(
      Map<String, float[]> weights,
      Layer filters,
      String name,
      Operator.BatchNorm norm,
      boolean asStored) {
    float[] variance = weights.get(name + ".running_var");
    float[] square = squaredUnit(variance, norm);
    int channels = variance.length;
    float[] weight = weights.get(filters.parameter("weight")).clone();
    String biasName = filters.parameter("bias");
    float[] bias = weights.getOrDefault(biasName, new float[channels]).clone();
    float[] mean = weights.get(name + ".running_mean").clone();
    float[] one = new float[channels];
    float[] rest = new float[channels];
    int size = weight.length / channels;
    for (int channel = 0; channel < channels; channel++) {
      double unit = Math.sqrt(twelveBits(square[channel]));
      for (int i = channel * size; i < (channel + 1) * size; i++) {
        weight[i] = (float) (weight[i] / unit);
      }
      bias[channel] = (float) (bias[channel] / unit);
      mean[channel] = (float) (mean[channel] / unit);
      one[channel] = 1;
      rest[channel] = 1 - norm.epsilon();
    }
    float[] targets =
        asStored
            ? ratios(variance, square)
            : targets(variance, square, squaredNorms(weight, channels), norm);
    weights.put(filters.parameter("weight"), weight);
    weights.replace(biasName, bias);
    weights.put(name + ".running_mean", mean);
    weights.put(name + ".running_var", rest);
    return new Statistics(mean, targets, one);
  }

  /**
   * Variances in the normal form. A file has one epsilon a layer, so that a filter times c stands
   * there with the variance c² (variance + epsilon) - epsilon, and the variance itself cannot be
   * told from that. In a layer whose variances are mostly many times epsilon all of the sum counts
   * as variance, which then is the same for every c; elsewhere the variance counts as it stands. A
   * filter of next to no norm puts out a constant whatever its statistics.
   */
  private static float[] targets(
      float[] variance, float[] square, double[] norms, Operator.BatchNorm norm) {
    double mean = 0;
    for (double one : norms) {
      mean += one / norms.length;
    }
    float[] sorted = variance.clone();
    Arrays.sort(sorted);
    boolean whole = sorted[sorted.length / 2] >= MANY_EPSILONS * norm.epsilon();
    float[] targets = ratios(variance, square);
    for (int i = 0; i < targets.length; i++) {
      if (norms[i] < NEGLIGIBLE * mean) {
        targets[i] = 0;
      } else if (whole) {
        targets[i] = 1;
      }
    }
    return targets;
  }

  private static float[] ratios(float[] variance, float[] square) {
    float[] ratios = new float[variance.length];
    for (int i = 0; i < ratios.length; i++) {
      ratios[i] = variance[i] / square[i];
    }
    return ratios;
  }

  private static float[] squaredUnit(float[] variance, Operator.BatchNorm norm) {
    float[] square = new float[variance.length];
    for (int i = 0; i < square.length; i++) {
      square[i] = variance[i] + norm.epsilon();
      if (!(square[i] > 0)) {
        throw new RefusedException(
            "a variance and epsilon of 0 leave nothing to divide by: the checkpoint is damaged");
      }
    }
    return square;
  }

  /**
   * A squared unit rounded to 12 bits. A file that stands for c² (variance + epsilon) is off by a
   * rounding where epsilon was taken off and put on again; a unit of all its bits would have that
   * in every weight. What the network computes changes by up to 6e-5 of a channel's scale.
   */
  private static float twelveBits(float square) {
    return Float.intBitsToFloat(Float.floatToRawIntBits(square) + 0x800 & ~0xfff);
  }

  private static double[] squaredNorms(float[] weight, int rows) {
    double[] norms = new double[rows];
    int size = weight.length / rows;
    for (int i = 0; i < weight.length; i++) {
      norms[i / size] += (double) weight[i] * weight[i];
    }
    return norms;
  }

  /** The network in these units. */
  public Network network() {
    return network;
  }

  /** What the statistics of each BatchNorm are held against, by its name, in order. */
  Map<String, Statistics> statistics() {
    return statistics;
  }

  /**
   * The rate of every trained parameter, as a factor of the learning rate; empty where all have the
   * same. In the normal form a filter moves at its squared norm, so that a rate is an angle; what
   * no filter's unit reaches, BatchNorm's scale and shift and the classifier, at {@code otherRate}
   * times the mean squared scale of the network's BatchNorms.
   *
   * @return values in the layout of the slots, 0 in the gaps between them
   */
  Optional<float[]> rates(ParameterLayout trained, float otherRate) {
    if (!normal) {
      return Optional.empty();
    }
    float other = (float) (otherRate * meanSquaredScale());
    float[] rates = new float[Math.toIntExact(trained.bytes() / Float.BYTES)];
    for (String name : trained.names()) {
      Shape shape = trained.get(name).type().shape();
      int first = Math.toIntExact(trained.get(name).offset() / Float.BYTES);
      int count = Math.toIntExact(shape.elements());
      Arrays.fill(rates, first, first + count, other);
      if (shape.rank() == 4) {
        double[] norms = squaredNorms(network.weights().get(name), Math.toIntExact(shape.size(0)));
        for (int i = 0; i < count; i++) {
          rates[first + i] = (float) norms[i / (count / norms.length)];
        }
      }
    }
    return Optional.of(rates);
  }

  private double meanSquaredScale() {
    double sum = 0;
    long count = 0;
    for (String name : statistics.keySet()) {
      for (float scale : network.weights().get(name + ".weight")) {
        sum += (double) scale * scale;
        count++;
      }
    }
    return sum / Math.max(count, 1);
  }
}
