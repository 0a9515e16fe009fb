package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.hast4j.data.ImageSet;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.zoo.CifarResNet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Full-precision training on images whose class is their brightness. */
class TrainingTest {
  private static final Model MODEL = CifarResNet.of(8, 4, 2, CifarResNet.Shortcut.A);
  private static final int BATCH = 4;

  @TempDir private Path scratch;

  private static ImageSet images(int count) {
    Random random = new Random(1);
    int[] labels = new int[count];
    byte[] pixels = new byte[count * 3 * 32 * 32];
    for (int i = 0; i < pixels.length; i++) {
      int image = i / (3 * 32 * 32);
      labels[image] = image % 2;
      pixels[i] = (byte) (labels[image] * 100 + random.nextInt(100));
    }
    return new ImageSet(2, 3, 32, 32, labels, pixels);
  }

  private static Training training(OpenDevice device, int images, int epochs, float learningRate) {
    return new Training(
        device,
        MODEL,
        images(images),
        Normalization.CIFAR10,
        new Training.Schedule(epochs, BATCH, learningRate, .2f, 5e-4f, 4),
        1);
  }

  @Test
  void learnsAndTellsTheLossOfEveryStep() {
    List<Long> steps = new ArrayList<>();
    List<Float> losses = new ArrayList<>();
    List<Double> means = new ArrayList<>();
    try (OpenDevice device = Platform.CPU.open(2);
        Training training = training(device, 30, 4, .1f)) {
      for (int epoch = 0; epoch < 4; epoch++) {
        means.add(
            training.epoch(
                (step, all, loss) -> {
                  assertThat(all).isEqualTo(28);
                  steps.add(step);
                  losses.add(loss);
                }));
      }
      assertThat(training.step()).isEqualTo(28);
    }
    assertThat(steps).hasSize(28).isSorted().startsWith(1L).endsWith(28L);
    double second = losses.subList(7, 14).stream().mapToDouble(Float::doubleValue).sum() / 7;
    assertThat(means.get(1)).isCloseTo(second, within(1e-12));
    assertThat(means.getLast()).isLessThan(.2 * Math.log(2));
  }

  @Test
  void goesOnAsIfItHadNeverStopped() {
    Path file = scratch.resolve("training");
    try (OpenDevice device = Platform.CPU.open(1);
        Training whole = training(device, 8, 3, .1f)) {
      whole.epoch((_, _, _) -> {});
      whole.save(file);
      whole.epoch((_, _, _) -> {});
      whole.epoch((_, _, _) -> {});
      try (Training resumed = training(device, 8, 3, .1f)) {
        resumed.restore(file);
        assertThat(resumed.step()).isEqualTo(2);
        resumed.epoch((_, _, _) -> {});
        resumed.epoch((_, _, _) -> {});
        resumed
            .network()
            .weights()
            .forEach(
                (name, values) ->
                    assertThat(values).as(name).isEqualTo(whole.network().weights().get(name)));
      }
    }
  }

  /** Two steps an epoch, three epochs. */
  @ParameterizedTest
  @ValueSource(strings = {"", "two", "-2", "1", "8", "9223372036854775808"})
  void aStepThatIsNoneIsRefused(String step) {
    Path file = scratch.resolve("training");
    Path other = scratch.resolve("other");
    try (OpenDevice device = Platform.CPU.open(1);
        Training training = training(device, 8, 3, .1f)) {
      training.save(file);
      Safetensors saved = Safetensors.read(file);
      SafetensorsWriter writer = new SafetensorsWriter();
      saved.metadata().forEach((k, v) -> writer.metadata(k, k.equals("step") ? step : v));
      for (String name : saved.names()) {
        Safetensors.Tensor tensor = saved.tensor(name);
        int count = Math.toIntExact(tensor.shape().elements());
        writer.put(name, tensor.shape(), tensor.ints(0, count));
      }
      writer.write(other);
      assertThatThrownBy(() -> training.restore(other))
          .isInstanceOf(CorruptFileException.class)
          .hasMessageStartingWith(other + ": ");
    }
  }

  @Test
  void theRateRisesToItsPeakAndFallsToZero() {
    Training.Schedule schedule = new Training.Schedule(1, BATCH, .4f, .25f, 0, 0);
    assertThat(schedule.learningRate(0, 100)).isZero();
    assertThat(schedule.learningRate(10, 100)).isCloseTo(.16f, within(1e-7f));
    assertThat(schedule.learningRate(25, 100)).isEqualTo(.4f);
    // Down a cosine of 75 steps: .4 (1 + cos(60 degrees)) / 2 and .4 (1 + cos(120 degrees)) / 2.
    assertThat(schedule.learningRate(50, 100)).isCloseTo(.3f, within(1e-7f));
    assertThat(schedule.learningRate(75, 100)).isCloseTo(.1f, within(1e-7f));
    assertThat(schedule.learningRate(100, 100)).isCloseTo(0, within(1e-7f));
  }

  @ParameterizedTest
  @EnumSource(names = {"CPU", "EMULATED"})
  void aStepHasTheRateOfItsPlaceInTheWholeTraining(Platform platform) {
    platform.assumeUsable();
    try (OpenDevice device = platform.open(2);
        // Two epochs of one step: at rate 0, and at the peak.
        Training training =
            new Training(
                device,
                MODEL,
                images(BATCH),
                Normalization.CIFAR10,
                new Training.Schedule(2, BATCH, .1f, .5f, 0, 0),
                1)) {
      float[] initial = training.network().weights().get("conv1.weight");
      training.epoch((_, _, _) -> {});
      assertThat(training.network().weights().get("conv1.weight")).isEqualTo(initial);
      training.epoch((_, _, _) -> {});
      assertThat(training.network().weights().get("conv1.weight")).isNotEqualTo(initial);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"CPU", "EMULATED"})
  void namesTheStepWhoseLossIsNotANumber(Platform platform) {
    platform.assumeUsable();
    try (OpenDevice device = platform.open(2);
        Training training = training(device, 12, 2, 1e30f)) {
      // The first step's rate is 0, the second's is not: the third sees what it did.
      assertThatThrownBy(() -> training.epoch((_, _, _) -> {}))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("NaN at step 2")
          .hasMessageContaining("lower the learning rate");
    }
  }

  @Test
  void aCapturedGraphFollowsTheCpu() {
    Platform.EMULATED.assumeUsable();
    List<Float> expected = losses(Platform.CPU);
    List<Float> actual = losses(Platform.EMULATED);
    assertThat(actual).hasSameSizeAs(expected);
    for (int step = 0; step < expected.size(); step++) {
      assertThat(actual.get(step)).isCloseTo(expected.get(step), within(1e-3f));
    }
  }

  private static List<Float> losses(Platform platform) {
    List<Float> losses = new ArrayList<>();
    try (OpenDevice device = platform.open(2);
        Training training = training(device, 12, 2, .05f)) {
      training.epoch((_, _, loss) -> losses.add(loss));
      training.epoch((_, _, loss) -> losses.add(loss));
    }
    return losses;
  }
}
