package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.failure.Mendable;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.HostileFiles;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.model.Bits;
import org.hast4j.model.Scheme;
import org.hast4j.tensor.DType;
import org.hast4j.zoo.CifarResNet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Folders of runs that somebody or something wrote in. */
class DamagedRunTest {
  private static final Job JOB =
      new Job(
          Networks.of(CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B), 3),
          "none",
          new Scheme(new Bits(4, 4)),
          Recipe.read(
              "quick",
              Map.of(
                  "synthesis.images", "4",
                  "synthesis.batch", "4",
                  "synthesis.iterations", "2",
                  "calibration.iterations", "2",
                  "calibration.batch", "4",
                  "calibration.latent", "4",
                  "fine-tuning.steps", "3",
                  "fine-tuning.batch", "2")),
          new Images.Synthesized(),
          1);

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  @TempDir private static Path scratch;
  @TempDir private Path folder;

  /** Stops a run after a unit of a stage. */
  private record StopAfter(Stage stage, boolean[] stop) implements Listener {
    @Override
    public void progress(Stage now, long done, long total) {
      stop[0] = now == stage;
    }

    @Override
    public boolean stopping() {
      return stop[0];
    }
  }

  private static void run(Path folder, Stage last) {
    new Run(DEVICES.open(), new StopAfter(last, new boolean[1]), Duration.ofDays(1))
        .quantize(JOB, folder, true, Optional.empty());
  }

  /** A run that stopped in each stage, and one that is done. */
  @BeforeAll
  static void runs() {
    for (Stage stage : Stage.values()) {
      try {
        run(scratch.resolve(stage.name()), stage);
      } catch (StoppedException e) {
        assertThat(stage).isNotEqualTo(Stage.DONE);
      }
    }
  }

  private void copy(Stage stage) throws IOException {
    try (Stream<Path> files = Files.list(scratch.resolve(stage.name()))) {
      for (Path file : files.toList()) {
        Files.copy(file, folder.resolve(file.getFileName()));
      }
    }
  }

  private void refused(String file) {
    assertThatThrownBy(() -> run(folder, Stage.DONE))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageStartingWith(folder.resolve(file) + ": ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "null", "[]", "3", "{", "\u0000"})
  void whatItWasAskedIsNoObject(String text) throws IOException {
    copy(Stage.DONE);
    Files.writeString(folder.resolve("run.json"), text);
    refused("run.json");
  }

  private void rewrite(String key, String text, boolean floats) {
    Path checkpoint = folder.resolve("checkpoint.safetensors");
    Safetensors file = Safetensors.read(checkpoint);
    SafetensorsWriter writer = new SafetensorsWriter();
    file.metadata().forEach((k, v) -> writer.metadata(k, k.equals(key) ? text : v));
    for (String name : file.names()) {
      Safetensors.Tensor tensor = file.tensor(name);
      assertThat(tensor.dtype()).isEqualTo(DType.I32);
      int count = Math.toIntExact(tensor.shape().elements());
      if (floats) {
        writer.put(name, tensor.shape(), new float[count]);
      } else {
        writer.put(name, tensor.shape(), tensor.ints(0, count));
      }
    }
    writer.write(checkpoint);
  }

  @ParameterizedTest
  @CsvSource({
    "SYNTHESIS, stage, BAKING",
    "SYNTHESIS, done, -1",
    "SYNTHESIS, done, 3",
    "CALIBRATION, done, 3",
    "FINE_TUNING, done, 4",
    "FINE_TUNING, done, 9223372036854775807",
    "FINE_TUNING, done, 1e0",
    "FINE_TUNING, metrics_bytes, -1",
    "DONE, done, 1"
  })
  void whereItStandsIsNowhere(Stage stage, String key, String text) throws IOException {
    copy(stage);
    rewrite(key, text, false);
    refused("checkpoint.safetensors");
  }

  @ParameterizedTest
  @ValueSource(strings = {"SYNTHESIS", "CALIBRATION", "FINE_TUNING", "DONE"})
  void theStateIsOfAnotherType(Stage stage) throws IOException {
    copy(stage);
    rewrite("", "", true);
    refused("checkpoint.safetensors");
  }

  @Test
  void whateverElseBecomesOfACheckpoint() throws IOException {
    Random random = new Random(1);
    Path file = folder.resolve("checkpoint.safetensors");
    for (int i = 0; i < 20; i++) {
      Stage stage = Stage.values()[random.nextInt(Stage.values().length)];
      try (Stream<Path> old = Files.list(folder)) {
        for (Path one : old.toList()) {
          Files.delete(one);
        }
      }
      copy(stage);
      Files.write(file, HostileFiles.damaged(file, random));
      try {
        run(folder, Stage.DONE);
      } catch (RuntimeException e) {
        assertThat(e).matches(Mendable::is, "something that a user can mend");
      }
    }
  }
}
