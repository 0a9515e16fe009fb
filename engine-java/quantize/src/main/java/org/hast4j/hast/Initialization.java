package org.hast4j.hast;

import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.tensor.Shape;

/** Random weights that training starts from; a function of the seed alone. */
final class Initialization {
  private static final String ALGORITHM = "L64X128MixRandom";

  private Initialization() {}

  /**
   * He et al. 2015: N(0, 2 / fan out) for convolutions, U(+-1 / sqrt(fan in)) for the classifier,
   * BatchNorm 1 and 0.
   */
  static Map<String, float[]> network(Model model, long seed) {
    RandomGenerator random = RandomGeneratorFactory.of(ALGORITHM).create(seed);
    Map<String, float[]> weights = new LinkedHashMap<>();
    Map<String, Long> linearInputs = new HashMap<>();
    for (Layer layer : model.layers()) {
      if (layer.op() instanceof Operator.Linear linear) {
        linearInputs.put(layer.name(), linear.inputs());
      }
    }
    ParameterLayout parameters = ParameterLayout.parameters(model);
    for (String name : parameters.names()) {
      Shape shape = parameters.get(name).type().shape();
      float[] values = new float[Math.toIntExact(shape.elements())];
      Long inputs = linearInputs.get(name.substring(0, name.lastIndexOf('.')));
      if (shape.rank() == 4) {
        double std = Math.sqrt(2.0 / (shape.size(0) * shape.size(1) * shape.size(2)));
        normal(values, std, random);
      } else if (inputs != null) {
        uniform(values, 1 / Math.sqrt(inputs), random);
      } else if (name.endsWith(".weight")) {
        Arrays.fill(values, 1);
      }
      weights.put(name, values);
    }
    ParameterLayout statistics = ParameterLayout.statistics(model);
    for (String name : statistics.names()) {
      float[] values = new float[Math.toIntExact(statistics.get(name).type().shape().elements())];
      if (name.endsWith(".running_var")) {
        Arrays.fill(values, 1);
      }
      weights.put(name, values);
    }
    return weights;
  }

  /** PyTorch's defaults: N(0, 1) embeddings, U(+-1 / sqrt(fan in)) elsewhere, BatchNorm 1 and 0. */
  static Map<String, float[]> generator(Generator generator, long seed) {
    RandomGenerator random = RandomGeneratorFactory.of(ALGORITHM).create(seed);
    Map<String, float[]> weights = new LinkedHashMap<>();
    ParameterLayout layout = generator.layout();
    for (String name : layout.names()) {
      float[] values = new float[Math.toIntExact(layout.get(name).type().shape().elements())];
      String weight = name.replaceFirst("bias$", "weight");
      Shape shape = layout.get(weight).type().shape();
      if (name.equals("label_emb.weight")) {
        normal(values, 1, random);
      } else if (shape.rank() > 1) {
        uniform(values, 1 / Math.sqrt((double) shape.elements() / shape.size(0)), random);
      } else if (name.endsWith(".weight")) {
        Arrays.fill(values, 1);
      }
      weights.put(name, values);
    }
    return weights;
  }

  private static void normal(float[] values, double std, RandomGenerator random) {
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (std * random.nextGaussian());
    }
  }

  private static void uniform(float[] values, double bound, RandomGenerator random) {
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (bound * (2 * random.nextDouble() - 1));
    }
  }
}
