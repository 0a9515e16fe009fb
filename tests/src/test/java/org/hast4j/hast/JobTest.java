package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;
import org.hast4j.zoo.CifarResNet;
import org.junit.jupiter.api.Test;

/** What a job says of a recipe before it runs. */
class JobTest {
  /** Weight 1 times a mean squared variance of 1.44, and of 0.0625. */
  @Test
  void cautionsWhereTheStatisticLossWeighsLittle() {
    assertThat(caution("paper", 1.2f)).isEmpty();
    assertThat(caution("paper", .25f)).get().asString().contains("1.0, is 0.063", "balanced");
    assertThat(caution("balanced", .25f)).isEmpty();
    assertThat(caution("thorough", .25f)).isEmpty();
  }

  private static Optional<String> caution(String recipe, float variance) {
    Model model = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.A);
    Map<String, float[]> weights = new LinkedHashMap<>(Initialization.network(model, 1));
    weights.replaceAll(
        (name, values) -> {
          float[] changed = values.clone();
          if (name.endsWith("running_var")) {
            Arrays.fill(changed, variance);
          }
          return changed;
        });
    Network network = new Network(model, Normalization.CIFAR10, weights);
    return new Job(
            network,
            "",
            new Scheme(new Bits(4, 4)),
            Recipe.read(recipe, Map.of()),
            new Images.Synthesized(),
            1)
        .caution();
  }
}
