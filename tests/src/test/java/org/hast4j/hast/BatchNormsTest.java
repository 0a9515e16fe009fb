package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.model.Scheme;
import org.hast4j.nn.BatchNorms;
import org.hast4j.nn.Network;
import org.hast4j.tensor.ActivationFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What networks say of their BatchNorms, and what is done with those that have none. */
class BatchNormsTest {
  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  private static final Operator RELU = new Operator.Activation(ActivationFunction.relu());

  /** Convolutions a, b and c, the BatchNorm behind a sum of a and b, nothing behind c. */
  private static Model model(boolean norm, boolean normBehindLinear) {
    Model.Builder net = new Model.Builder(new Model.Input(8, 8, 3));
    String a = net.add("a", new Operator.Convolution(3, 4, 3, 1, 1), Model.IMAGE);
    String b = net.add("b", new Operator.Convolution(3, 4, 1, 1, 0), Model.IMAGE);
    String x = net.add("sum", new Operator.Add(), a, b);
    if (norm) {
      x = net.add("bn", new Operator.BatchNorm(4), x);
    }
    x = net.add("relu", RELU, x);
    x = net.add("c", new Operator.Convolution(4, 4, 3, 1, 1), x);
    x = net.add("relu2", RELU, x);
    x = net.add("pool", new Operator.GlobalAveragePool(), x);
    x = net.add("fc1", new Operator.Linear(4, 5), x);
    if (normBehindLinear) {
      x = net.add("bn2", new Operator.BatchNorm(5), x);
    }
    net.add("fc2", new Operator.Linear(5, 2), x);
    return net.build("small");
  }

  @Test
  void convolutionsBehindASumFeedItsBatchNorm() {
    assertThat(BatchNorms.unnormalized(model(true, false))).containsExactly("c");
    assertThat(BatchNorms.any(model(true, false))).isTrue();
  }

  @Test
  void foldedBatchNormsAreNone() {
    assertThat(BatchNorms.unnormalized(model(false, true))).containsExactly("a", "b", "c");
    assertThat(BatchNorms.any(model(false, true))).isFalse();
  }

  @Test
  void aNetworkWithoutIsNotQuantised() {
    Model model = model(false, true);
    Map<String, float[]> weights = new LinkedHashMap<>();
    model.parameters().forEach((name, shape) -> weights.put(name, ones(shape.elements())));
    model.statistics().forEach((name, shape) -> weights.put(name, ones(shape.elements())));
    Network network = new Network(model, new Normalization(new float[3], ones(3)), weights);
    Recipe recipe = Recipe.read("quick", Map.of());
    Scheme scheme = new Scheme(new Bits(4, 4));
    Job job = new Job(network, "", scheme, recipe, new Images.Synthesized(), 1);
    assertThatThrownBy(() -> Hast.quantize(job, DEVICES.open()))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("no BatchNorm behind a convolution")
        .hasMessageContaining("TrainingMode.PRESERVE");
  }

  private static float[] ones(long length) {
    float[] values = new float[(int) length];
    Arrays.fill(values, 1);
    return values;
  }
}
