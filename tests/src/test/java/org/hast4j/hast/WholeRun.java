package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.io.Sha256;
import org.hast4j.kernel.Precision;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;
import org.hast4j.zoo.CifarResNet;
import org.hast4j.zoo.Topologies;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A whole run, synthesis to the quantised file, on a device that captures: the same bits captured
 * as kernel by kernel, and the CPU's numbers within what another order of sums explains.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class WholeRun {
  // Relative. Rounding decides a few signs of the promotion and a few quantisation steps, each a
  // small part of a loss.
  private static final double TOLERANCE = 5e-3;
  private static final Model RESNET = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);

  private final Platform platform;

  @TempDir private Path scratch;

  WholeRun(Platform platform) {
    this.platform = platform;
  }

  @BeforeAll
  void needsThePlatform() {
    platform.assumeUsable();
  }

  /**
   * Random weights whose BatchNorms shift what they normalise: without a shift, sums of quantised
   * products often cancel, and rounding decides which side of a ReLU they fall on.
   */
  private static Map<String, float[]> weights(Model model) {
    Random random = new Random(1);
    Map<String, float[]> weights = Initialization.network(model, 1);
    weights.forEach(
        (name, values) -> {
          if (name.endsWith("running_mean") || name.endsWith("bias")) {
            for (int i = 0; i < values.length; i++) {
              values[i] += (float) (.2 * random.nextGaussian());
            }
          }
        });
    return weights;
  }

  /** What a run left behind. */
  private record Outcome(Path folder, List<Map<String, Object>> metrics) {
    String sha256() {
      return Sha256.of(folder.resolve("quantised.safetensors"));
    }

    List<Map<String, Object>> of(Stage... stages) {
      List<String> names = Arrays.stream(stages).map(Stage::name).toList();
      return metrics.stream().filter(line -> names.contains(line.get("stage"))).toList();
    }
  }

  private Outcome run(
      Model model, OpenDevice device, String name, String calibrateOn, Images images) {
    Recipe recipe =
        Recipe.read(
            "paper",
            Map.of(
                "synthesis.images", "4",
                "synthesis.batch", "4",
                "synthesis.iterations", "3",
                "calibration.source", calibrateOn,
                "calibration.iterations", "2",
                "calibration.batch", "1",
                "calibration.latent", "3",
                "fine-tuning.steps", "3",
                "fine-tuning.batch", "3"));
    Network network = new Network(model, Normalization.CIFAR10, weights(model));
    Job job = new Job(network, "none", new Scheme(new Bits(4, 4)), recipe, images, 1);
    List<Map<String, Object>> metrics = new ArrayList<>();
    Listener listener =
        new Listener() {
          @Override
          public void event(Event event) {
            metrics.add(MetricsLine.of(event));
          }
        };
    Path folder = scratch.resolve(name);
    new Run(device, listener, Duration.ofDays(1)).quantize(job, folder, false, Optional.empty());
    return new Outcome(folder, metrics);
  }

  @Test
  void onSyntheticSamples() {
    compare(RESNET, "SYNTHETIC");
  }

  @ParameterizedTest
  @ValueSource(strings = {"mobilenetv1-w0.1-10-32px", "mobilenetv2-w0.05-10-32px"})
  void ofMobileNets(String name) {
    compare(Topologies.named(name), "SYNTHETIC");
  }

  @Test
  void onTheGenerator() {
    compare(RESNET, "GENERATOR");
  }

  private static OpenDevice open(Platform platform, Launching launching) {
    return platform.open(platform.options(2, Precision.FP32, launching));
  }

  private void compare(Model model, String calibrateOn) {
    try (OpenDevice captured = open(platform, Launching.CAPTURED);
        OpenDevice eager = open(platform, Launching.SINGLE);
        OpenDevice cpu = open(Platform.CPU, Launching.SINGLE)) {
      Images made = new Images.Synthesized();
      Outcome whole =
          run(model, captured, model.name() + "-captured-" + calibrateOn, calibrateOn, made);
      Outcome single = run(model, eager, model.name() + "-eager-" + calibrateOn, calibrateOn, made);
      assertThat(whole.sha256()).isEqualTo(single.sha256());
      compare(whole.metrics(), single.metrics(), 0);
      Outcome own = run(model, cpu, model.name() + "-cpu-" + calibrateOn, calibrateOn, made);
      compare(whole.of(Stage.SYNTHESIS), own.of(Stage.SYNTHESIS), TOLERANCE);
      // Adam's first steps go by the sign of a gradient: where that is nearly 0 the images differ,
      // so what follows is compared on the same ones.
      Images stored = new Images.Stored(List.of(whole.folder().resolve("synthetic.safetensors")));
      Outcome same = run(model, cpu, model.name() + "-same-" + calibrateOn, calibrateOn, stored);
      Stage[] rest = {Stage.CALIBRATION, Stage.FINE_TUNING};
      compare(whole.of(rest), same.of(rest), TOLERANCE);
      assertThat(captured.ledger().bytes() + eager.ledger().bytes()).isZero();
    }
  }

  private static void compare(
      List<Map<String, Object>> actual, List<Map<String, Object>> expected, double tolerance) {
    assertThat(actual).hasSameSizeAs(expected);
    for (int line = 0; line < expected.size(); line++) {
      Map<String, Object> values = actual.get(line);
      assertThat(values.keySet()).isEqualTo(expected.get(line).keySet());
      expected
          .get(line)
          .forEach(
              (key, value) -> {
                switch (value) {
                  case float[] numbers -> {
                    for (int i = 0; i < numbers.length; i++) {
                      near(key, ((float[]) values.get(key))[i], numbers[i], tolerance);
                    }
                  }
                  case Map<?, ?> numbers ->
                      numbers.forEach(
                          (name, number) ->
                              near(
                                  key + " of " + name,
                                  (double) ((Map<?, ?>) values.get(key)).get(name),
                                  (double) number,
                                  tolerance));
                  case Number number ->
                      near(
                          key,
                          ((Number) values.get(key)).doubleValue(),
                          number.doubleValue(),
                          tolerance);
                  default -> assertThat(values.get(key)).as(key).isEqualTo(value);
                }
              });
    }
  }

  private static void near(String what, double actual, double expected, double tolerance) {
    assertThat(Math.abs(actual - expected) <= tolerance * Math.max(Math.abs(expected), 1e-3))
        .as("%s is %s, expected %s", what, actual, expected)
        .isTrue();
  }
}
