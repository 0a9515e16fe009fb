package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.model.Model;
import org.hast4j.nn.Network;
import org.hast4j.zoo.CifarResNet;
import org.hast4j.zoo.Topologies;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The normal form: one network for all that compute the same. */
class UnitsTest {
  private static final Model RESNET = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);

  /** Law: factors that are powers of two leave no trace. */
  @Property(tries = 20)
  void powersOfTwoGiveTheSameBits(@ForAll long seed) {
    Network network = Networks.of(RESNET, seed);
    Random random = new Random(seed);
    Network other = Networks.rescaled(network, _ -> Math.scalb(1, random.nextInt(-2, 12)));
    Units one = Units.normal(network);
    Units two = Units.normal(other);
    one.network()
        .weights()
        .forEach((name, values) -> assertThat(two.network().weights().get(name)).isEqualTo(values));
    one.statistics()
        .forEach(
            (name, statistics) -> {
              Units.Statistics same = two.statistics().get(name);
              assertThat(same.mean()).isEqualTo(statistics.mean());
              assertThat(same.variance()).isEqualTo(statistics.variance());
            });
    ParameterLayout trained = ParameterLayout.parameters(RESNET);
    assertThat(two.rates(trained, 3))
        .hasValueSatisfying(
            rates -> assertThat(rates).isEqualTo(one.rates(trained, 3).orElseThrow()));
  }

  /** Law: any other factors leave nothing but roundings. */
  @Property(tries = 20)
  void anyFactorsGiveTheSameUpToRounding(@ForAll long seed) {
    Network network = Networks.of(RESNET, seed);
    Random random = new Random(seed);
    Network other = Networks.rescaled(network, _ -> Math.exp(random.nextDouble(-1, 5)));
    Map<String, float[]> one = Units.normal(network).network().weights();
    Map<String, float[]> two = Units.normal(other).network().weights();
    one.forEach(
        (name, values) -> {
          for (int i = 0; i < values.length; i++) {
            assertThat((double) two.get(name)[i])
                .as("%s[%d]", name, i)
                .isCloseTo(values[i], within(1e-3 * Math.abs(values[i]) + 1e-12));
          }
        });
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"cifar-resnet8-w4-a", "mobilenetv1-w0.1-10-32px", "mobilenetv2-w0.05-10-32px"})
  void theNormalFormComputesTheSame(String name) {
    Model model = Topologies.named(name);
    Network network = Networks.of(model, 1);
    float[] pixels =
        new float[2 * model.input().channels() * model.input().height() * model.input().width()];
    Random random = new Random(2);
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (float) random.nextGaussian();
    }
    float[] expected = logits(network, pixels);
    float[] actual = logits(Units.normal(network).network(), pixels);
    double size = 0;
    for (float value : expected) {
      size = Math.max(size, Math.abs(value));
    }
    for (int i = 0; i < expected.length; i++) {
      assertThat((double) actual[i]).isCloseTo(expected[i], within(1e-3 * size));
    }
  }

  private static float[] logits(Network network, float[] pixels) {
    try (OpenDevice device = Platform.CPU.open(1);
        Memory memory = new Memory(device);
        Evaluation evaluation = Evaluation.of(memory, network, 2)) {
      return evaluation.logits(pixels, 2);
    }
  }

  /**
   * Of filters {4, 0} and {3e-9, 4e-9} and variances 16 - epsilon and 0: the first is worth its
   * unit, the second, of epsilon's unit 316 and still next to nothing, is not asked to vary.
   */
  @Test
  void aFilterOfNoNormIsNotAskedForAVariance() {
    Network network = Networks.of(RESNET, 1);
    Map<String, float[]> weights = new LinkedHashMap<>(network.weights());
    float[] filters = weights.get("conv1.weight").clone();
    float[] variance = weights.get("bn1.running_var").clone();
    int size = filters.length / variance.length;
    for (int i = 0; i < 2 * size; i++) {
      filters[i] = 0;
    }
    filters[0] = 4;
    filters[size] = 3e-9f;
    filters[size + 1] = 4e-9f;
    variance[0] = 16 - 1e-5f;
    variance[1] = 0;
    weights.put("conv1.weight", filters);
    weights.put("bn1.running_var", variance);
    Units units = Units.normal(network.withWeights(weights));
    assertThat(units.network().weights().get("conv1.weight")[0]).isEqualTo(1);
    assertThat((double) units.network().weights().get("conv1.weight")[size])
        .isCloseTo(3e-9 / Math.sqrt(1e-5), within(1e-9));
    assertThat(units.statistics().get("bn1").variance()).startsWith(1, 0);
    float[] rates = units.rates(ParameterLayout.parameters(RESNET), 1).orElseThrow();
    assertThat(rates[0]).isEqualTo(1);
    assertThat((double) rates[size]).isCloseTo(25e-18 / 1e-5, within(1e-14));
    // Scales are 1: Networks leaves them as they start.
    int scale =
        Math.toIntExact(
            ParameterLayout.parameters(RESNET).get("bn1.weight").offset() / Float.BYTES);
    assertThat(rates[scale]).isEqualTo(1);
  }

  /** Variances of 2e-5 and 1e-5 with an epsilon of 1e-5 count as 2/3 and 1/2 of their units. */
  @Test
  void whereVariancesAreOfTheSizeOfEpsilonTheyCountAsTheyStand() {
    Network network = Networks.of(RESNET, 1);
    Map<String, float[]> weights = new LinkedHashMap<>(network.weights());
    weights.put("bn1.running_var", new float[] {2e-5f, 1e-5f, 1e-5f, 1});
    float[] targets = Units.normal(network.withWeights(weights)).statistics().get("bn1").variance();
    assertThat((double) targets[0]).isCloseTo(2.0 / 3, within(1e-6));
    assertThat((double) targets[1]).isCloseTo(.5, within(1e-6));
  }

  /** ((1 - 0) / 2)² + ((5 - 3.9) / 4)², and nothing for the channel that fits. */
  @Test
  void mismatchByHand() {
    Units.Statistics statistics =
        new Units.Statistics(new float[] {0, 1}, new float[] {3.9f, 2}, new float[] {4, 2.1f});
    assertThat(statistics.mismatch(new float[] {1, 1}, new float[] {5, 2}))
        .isCloseTo((.25 + 1.1 * 1.1 / 16) / 2, within(1e-6));
  }
}
