package org.hast4j.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.hast.Evaluation;
import org.hast4j.nn.Network;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Networks trained by others; their weights may not be passed on, so the test skips where they are
 * not at hand.
 */
class PublishedWeightsTest {
  private static final Path FOLDER = Path.of("../../shared/weights");

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  @ParameterizedTest
  @CsvSource({
    "cifar10_resnet20_optA_akamaster, cifar-resnet20-a, 269722",
    "cifar10_resnet20_optB_apot, cifar-resnet20-b, 272474"
  })
  void classifyAlikeWithAnyNumberOfThreads(String name, String model, long parameters) {
    Path file = FOLDER.resolve(name + ".safetensors");
    assumeTrue(Files.isRegularFile(file), () -> "skipped: no " + file);
    Network network = NetworkReader.read(file);
    assertThat(network.model().name()).isEqualTo(model);
    assertThat(network.parameterCount()).isEqualTo(parameters);
    float[] one = logits(DEVICES.open(1), network);
    for (float logit : one) {
      assertThat(logit).isFinite();
    }
    assertThat(logits(DEVICES.open(2), network)).containsExactly(one);
  }

  private static float[] logits(OpenDevice device, Network network) {
    Random random = new Random(8);
    float[] pixels = new float[2 * 32 * 32 * 3];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (float) random.nextGaussian();
    }
    try (Evaluation evaluation = Evaluation.of(device, network, 2)) {
      return evaluation.logits(pixels, 2);
    }
  }
}
