package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.nn.Network;
import org.hast4j.zoo.NetworkReader;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Networks whose statistics fit pass, others do not. Those of others may not be passed on; their
 * tests skip where they are not at hand.
 */
class StatisticsCheckTest {
  private static final Path SHARED = Path.of("../../shared");
  private static final String BUILT_IN = "/org/hast4j/models/cifar10-resnet20-b.safetensors";

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  private static Network builtIn;

  @BeforeAll
  static void read(@TempDir Path folder) throws IOException {
    Path file = folder.resolve("built-in.safetensors");
    try (InputStream in = StatisticsCheck.class.getResourceAsStream(BUILT_IN)) {
      Files.copy(in, file);
    }
    builtIn = NetworkReader.read(file);
  }

  private static StatisticsCheck check(String name, Network network) {
    StatisticsCheck check = StatisticsCheck.of(DEVICES.open(), network, 1);
    System.out.printf(
        "statistics check: %s %.5f of %.5f, worst %s%n",
        name, check.score(), check.threshold(), worst(check));
    return check;
  }

  private static StatisticsCheck.BatchNorm worst(StatisticsCheck check) {
    return check.layers().stream()
        .max(Comparator.comparingDouble(StatisticsCheck.BatchNorm::distance))
        .orElseThrow();
  }

  private static void passes(StatisticsCheck check) {
    // Half of what would be too much is the margin that results are reported with.
    assertThat(check.score()).isPositive().isLessThan(check.threshold() / 2);
    assertThat(check.warning()).isEmpty();
  }

  @Test
  void theBuiltInNetworkPassesAlikeEveryTime() {
    StatisticsCheck check = check("built-in", builtIn);
    passes(check);
    assertThat(check.layers()).hasSize(21);
    assertThat(check.layers().getFirst().name()).isEqualTo("bn1");
    assertThat(StatisticsCheck.of(DEVICES.open(1), builtIn, 1)).isEqualTo(check);
  }

  @Test
  void positiveFactorsChangeNothing() {
    StatisticsCheck check = check("built-in, filters scaled", FaultyNetworks.scaled(builtIn));
    passes(check);
    // Epsilon is not scaled along, so channels of small variance differ a little.
    double unscaled = StatisticsCheck.of(DEVICES.open(), builtIn, 1).score();
    assertThat(check.score()).isCloseTo(unscaled, within(.2 * unscaled));
  }

  @Test
  void freshStatisticsAreSaidToBeFresh() {
    StatisticsCheck check = check("built-in, fresh", FaultyNetworks.fresh(builtIn));
    assertThat(check.layers()).allMatch(StatisticsCheck.BatchNorm::fresh);
    assertThat(check.warning().orElseThrow()).contains("all 21 BatchNorms", "still 0 and 1");
  }

  @ParameterizedTest
  @CsvSource({
    "layer1.0.bn1, layer1.0.bn2",
    "layer3.1.bn1, layer3.2.bn1",
    "layer3.0.bn2, layer3.0.downsample.1"
  })
  void exchangedBatchNormsAreNamed(String one, String other) {
    StatisticsCheck check =
        check(
            "built-in, %s and %s exchanged".formatted(one, other),
            FaultyNetworks.exchanged(builtIn, one, other));
    assertThat(check.score()).isGreaterThan(check.threshold());
    String warning = check.warning().orElseThrow();
    assertThat(List.of(one, other)).anyMatch(warning::contains);
  }

  @Test
  void filtersOfAnotherTrainingRunDoNotPass() {
    StatisticsCheck check =
        check("built-in, random filters", FaultyNetworks.randomFilters(builtIn, 5));
    assertThat(check.warning().orElseThrow()).contains("do not fit");
  }

  @Test
  void anEpsilonThatMattersDoesNotPass() {
    StatisticsCheck check =
        check(
            "built-in, trained with epsilon .001 on variances of .001",
            FaultyNetworks.otherEpsilon(builtIn, 1e-3, 1e-3));
    assertThat(check.warning().orElseThrow()).contains("epsilon");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "weights/cifar10_resnet20_optA_akamaster",
        "weights/cifar10_resnet20_optB_apot",
        "cases/B_x30"
      })
  void publishedNetworksPass(String name) {
    passes(check(name, shared(name)));
  }

  @ParameterizedTest
  @CsvSource({"cases/B_fresh, still 0 and 1", "cases/A_behind, shortcut"})
  void faultyFilesDoNotPass(String name, String cause) {
    assertThat(check(name, shared(name)).warning().orElseThrow()).contains(cause);
  }

  private static Network shared(String name) {
    Path file = SHARED.resolve(name + ".safetensors");
    assumeTrue(Files.isRegularFile(file), () -> "skipped: no " + file);
    return NetworkReader.read(file);
  }

  @Test
  void aNetworkWithoutBatchNormIsRefused() {
    Model.Builder bare = new Model.Builder(new Model.Input(4, 4, 3));
    bare.add(
        "fc",
        new Operator.Linear(3, 2),
        bare.add("pool", new Operator.GlobalAveragePool(), Model.IMAGE));
    Network network =
        new Network(
            bare.build("bare"),
            Normalization.CIFAR10,
            Map.of("fc.weight", new float[6], "fc.bias", new float[2]));
    assertThatThrownBy(() -> StatisticsCheck.of(DEVICES.open(), network, 1))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("no BatchNorm");
  }
}
