package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import org.hast4j.data.ImageSet;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.QuantizationPoints;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;
import org.hast4j.zoo.CifarResNet;
import org.hast4j.zoo.Topologies;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Runs inside this process: what they refuse, and what they leave in their folder. */
class RunFolderTest {
  private static final Model MODEL = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
  private static final Map<String, String> TINY =
      Map.of(
          "synthesis.images", "4",
          "synthesis.batch", "4",
          "synthesis.iterations", "2",
          "calibration.iterations", "2",
          "calibration.batch", "4",
          "calibration.latent", "4",
          "fine-tuning.steps", "2",
          "fine-tuning.batch", "2");

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  @TempDir private Path scratch;

  private static Recipe recipe(String... changes) {
    Map<String, String> values = new HashMap<>(TINY);
    for (int i = 0; i < changes.length; i += 2) {
      values.put(changes[i], changes[i + 1]);
    }
    return Recipe.read("released", values);
  }

  private static Job job(int bits, Recipe recipe, Images images, Normalization normalization) {
    return job(MODEL, bits, recipe, images, normalization);
  }

  private static Job job(
      Model model, int bits, Recipe recipe, Images images, Normalization normalization) {
    Network network = new Network(model, normalization, Initialization.network(model, 1));
    return new Job(network, "none", new Scheme(new Bits(bits, bits)), recipe, images, 1);
  }

  private static Job job(int bits, Recipe recipe) {
    return job(bits, recipe, new Images.Synthesized(), Normalization.CIFAR10);
  }

  private static ImageSet images(int count, int seed) {
    Random random = new Random(seed);
    byte[] pixels = new byte[count * 3 * 32 * 32];
    random.nextBytes(pixels);
    return new ImageSet(10, 3, 32, 32, random.ints(count, 0, 10).toArray(), pixels);
  }

  private Hast.Result run(Job job, boolean resume, Optional<Hast.Test> test) {
    return new Run(DEVICES.open(), new Listener() {}, Duration.ofDays(1))
        .quantize(job, scratch.resolve("run"), resume, test);
  }

  @Test
  void aStartThatFailsDoesNotClaimTheFolder() {
    Job good = job(4, recipe());
    Scheme nowhere =
        new Scheme(new Bits(4, 4), Map.of("nowhere", new Bits(8, 8)), QuantizationPoints.PAPER);
    Job bad = new Job(good.teacher(), "none", nowhere, good.recipe(), good.images(), good.seed());
    assertThatThrownBy(() -> run(bad, false, Optional.empty()))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("nowhere");
    assertThat(scratch.resolve("run/run.json")).doesNotExist();
    assertThat(run(job(4, recipe()), false, Optional.empty()).fineTuned()).isEmpty();
    assertThat(scratch.resolve("run/run.json")).content().contains("\"device\"");
  }

  @Test
  void imagesThatNoGeneratorMakesAreKnownAtOnce() {
    Model odd = Topologies.named("resnet18-w2-10-34px");
    Images made = new Images.Synthesized();
    assertThatThrownBy(
            () -> run(job(odd, 4, recipe(), made, Normalization.IMAGENET), false, Optional.empty()))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("calibration.source");
    assertThat(scratch.resolve("run/run.json")).doesNotExist();
    Recipe other = recipe("calibration.source", "SYNTHETIC");
    Hast.Result result =
        run(job(odd, 4, other, made, Normalization.IMAGENET), false, Optional.empty());
    assertThat(result.network().model().name()).isEqualTo(odd.name());
  }

  @Test
  void noiseThatIsTooWideIsKnownAtOnce() {
    Recipe wide = recipe("calibration.latent", "2147483647");
    assertThatThrownBy(() -> run(job(4, wide), false, Optional.empty()))
        .isInstanceOf(RefusedException.class)
        // 8 * 8 * 128 + 10 rows of at most 2^30 weights.
        .hasMessageContainingAll("calibration.latent", "at most 130912");
    assertThat(scratch.resolve("run/run.json")).doesNotExist();
  }

  @Test
  void withoutAStepTheNetworkStaysAsItWasRounded() {
    Recipe none = recipe("fine-tuning.steps", "0");
    Hast.Result result = run(job(4, none), false, Optional.empty());
    assertThat(result.agreement()).isEqualTo(result.roundedAgreement());
    assertThat(run(job(4, none), true, Optional.empty()).agreement()).isEqualTo(result.agreement());
  }

  @Test
  void aCheckpointOfARunNobodyKnowsIsRefused() throws IOException {
    run(job(4, recipe()), false, Optional.empty());
    Files.delete(scratch.resolve("run/run.json"));
    for (boolean resume : new boolean[] {false, true}) {
      assertThatThrownBy(() -> run(job(3, recipe()), resume, Optional.empty()))
          .isInstanceOf(RefusedException.class)
          .hasMessageContainingAll("checkpoint.safetensors", "no run.json");
    }
  }

  @Test
  void aResumedRunWithAnotherRecipeIsToldTheDifference() {
    run(job(4, recipe()), false, Optional.empty());
    Recipe other = recipe("fine-tuning.steps", "7", "synthesis.hard", "false");
    assertThatThrownBy(() -> run(job(4, other), true, Optional.empty()))
        .isInstanceOf(RefusedException.class)
        .hasMessageContainingAll("fine-tuning.steps 2, not 7", "synthesis.hard true, not false")
        .hasMessageNotContaining("calibration");
    Recipe respelt = recipe("fine-tuning.steps", "\"2\"");
    assertThatThrownBy(() -> run(job(4, respelt), true, Optional.empty()))
        .hasMessageContaining("the same values, written differently");
  }

  @Test
  void aFinishedRunIsEvaluatedWhenItIsResumedWithTestImages() throws IOException {
    run(job(4, recipe()), false, Optional.empty());
    Path leftOver = scratch.resolve("run/.result.json.abc.tmp");
    Files.writeString(leftOver, "half");
    Hast.Test test = new Hast.Test(images(8, 3), Set.of());
    assertThat(run(job(4, recipe()), true, Optional.of(test)).fineTuned()).isPresent();
    assertThat(leftOver).doesNotExist();
  }

  @Test
  void anotherNormalizationIsAnotherRun() {
    run(job(4, recipe()), false, Optional.empty());
    Job other = job(4, recipe(), new Images.Synthesized(), Normalization.IMAGENET);
    assertThatThrownBy(() -> run(other, true, Optional.empty()))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("another normalisation");
  }

  @Test
  void otherRealImagesAreAnotherRun() {
    run(
        job(4, recipe(), new Images.Real(images(4, 1), true), Normalization.CIFAR10),
        false,
        Optional.empty());
    Job other = job(4, recipe(), new Images.Real(images(4, 2), true), Normalization.CIFAR10);
    assertThatThrownBy(() -> run(other, true, Optional.empty()))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("another images");
  }

  @Test
  void lostMetricsAreReported() throws IOException {
    run(job(4, recipe()), false, Optional.empty());
    Files.writeString(scratch.resolve("run/metrics.jsonl"), "{}\n");
    assertThatThrownBy(() -> run(job(4, recipe()), true, Optional.empty()))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("metrics.jsonl");
  }

  @Test
  void imagesOfAnotherNormalizationAreRefused() {
    run(job(4, recipe()), false, Optional.empty());
    Path file = scratch.resolve("run/synthetic.safetensors");
    Job other = job(4, recipe(), new Images.Stored(List.of(file)), Normalization.IMAGENET);
    Run run = new Run(DEVICES.open(), null, Duration.ofDays(1));
    assertThatThrownBy(() -> run.quantize(other, scratch.resolve("other"), false, Optional.empty()))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("normalised by the mean");
  }

  @Test
  void withoutAlignmentTheLossIsTheDistillation() throws IOException {
    run(job(4, recipe("fine-tuning.alignment", "false")), false, Optional.empty());
    String last =
        Files.readAllLines(scratch.resolve("run/metrics.jsonl")).stream()
            .filter(line -> line.contains("clean_loss"))
            .reduce("", (_, line) -> line)
            .replace("\"", "");
    String loss = last.replaceFirst(".*clean_loss:([^,]*),.*", "$1");
    assertThat(last).contains("clean_distillation:" + loss + ",");
    assertThat(Double.parseDouble(loss)).isPositive();
  }

  @Test
  void aQuantizedNetworkIsEvaluatedInAnyBatch() {
    Hast.Result result = run(job(4, recipe()), false, Optional.empty());
    float[] pixels = images(3, 5).normalized(0, 3, Normalization.CIFAR10);
    try (Memory memory = new Memory(DEVICES.open());
        Evaluation one = Evaluation.of(memory, result.network(), 1);
        Evaluation two = Evaluation.of(memory, result.network(), 2)) {
      assertThat(two.logits(pixels, 3)).isEqualTo(one.logits(pixels, 3));
      one.close();
      two.close();
      assertThat(DEVICES.open().ledger().bytes()).isZero();
      assertThatThrownBy(() -> one.run(new float[3 * 32 * 32], new float[10]))
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the evaluation is closed");
      assertThat(DEVICES.open().ledger().bytes()).isZero();
    }
  }

  /** Of a shorter array the rest would be the last image's. */
  @Test
  void anEvaluationTakesWholeBatchesOnly() {
    Network network = job(4, recipe()).teacher();
    int size = 2 * 3 * 32 * 32;
    try (Memory memory = new Memory(DEVICES.open());
        Evaluation evaluation = Evaluation.of(memory, network, 2)) {
      for (int other : new int[] {size / 2, size + 1}) {
        assertThatThrownBy(() -> evaluation.run(new float[other], new float[20]))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessage("the images of a batch are 6144 values, got " + other);
      }
      assertThatThrownBy(() -> evaluation.run(new float[size], new float[10]))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("the logits of a batch are 20 values, got 10");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "fine-tuning.momentum, 1",
    "fine-tuning.temperature, 0",
    "fine-tuning.learning-rate, 0",
    "fine-tuning.crop-scale-min, 1.5",
    "fine-tuning.decay-epochs, [-1]",
    "calibration.momentum, 1",
    "calibration.batch, 0",
    "synthesis.batch, 3",
    "synthesis.plateau.factor, 1",
    "synthesis.plateau.patience, -1"
  })
  void recipeValuesOutOfRangeAreNamed(String path, String value) {
    assertThatThrownBy(() -> recipe(path, value))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining(path);
  }
}
