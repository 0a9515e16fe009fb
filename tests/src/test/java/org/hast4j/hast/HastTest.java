package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.hast4j.data.ImageSet;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Resize;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.quant.QuantizedNetwork;
import org.hast4j.zoo.CifarResNet;
import org.hast4j.zoo.Given;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Quantisation in memory, and what can be taken apart: images by batches, jobs as files. */
class HastTest {
  private static final Model MODEL = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
  private static final Network NETWORK = Networks.of(MODEL, 5);

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  @TempDir private Path scratch;

  private static Recipe recipe(int images) {
    return Recipe.read(
        "balanced",
        Map.of(
            "synthesis.images", "" + images,
            "synthesis.batch", "4",
            "synthesis.iterations", "3",
            "calibration.iterations", "2",
            "calibration.batch", "4",
            "fine-tuning.steps", "60",
            "fine-tuning.batch", "4"));
  }

  private static Job job(int images, Images source) {
    return new Job(NETWORK, "none", new Scheme(new Bits(4, 4)), recipe(images), source, 1);
  }

  private Run run() {
    return new Run(DEVICES.open(), new Listener() {}, Duration.ofDays(1));
  }

  private static void same(QuantizedNetwork one, QuantizedNetwork two) {
    assertThat(two.ranges()).isEqualTo(one.ranges());
    assertThat(two.floats()).usingRecursiveComparison().isEqualTo(one.floats());
    assertThat(two.weights()).usingRecursiveComparison().isEqualTo(one.weights());
  }

  @Test
  void memoryAndFolderGiveTheSameNetwork() {
    Job job = job(8, new Images.Synthesized());
    List<Event> heard = new ArrayList<>();
    Hast.Result inMemory =
        Hast.quantize(
            job,
            DEVICES.open(),
            Optional.empty(),
            new Listener() {
              @Override
              public void event(Event event) {
                heard.add(event);
              }
            });
    Hast.Result inFolder = run().quantize(job, scratch.resolve("run"), false, Optional.empty());
    same(inMemory.network(), inFolder.network());
    assertThat(inMemory.agreement()).isEqualTo(inFolder.agreement());
    assertThat(inMemory.roundedAgreement()).isEqualTo(inFolder.roundedAgreement());
    assertThat(inMemory.keptStep()).isEqualTo(inFolder.keptStep());
    assertThat(heard)
        .hasAtLeastOneElementOfType(Event.SynthesisLosses.class)
        .hasAtLeastOneElementOfType(Event.ImagesReady.class)
        .hasAtLeastOneElementOfType(Event.Calibrated.class)
        .hasAtLeastOneElementOfType(Event.FineTuningLosses.class)
        .hasAtLeastOneElementOfType(Event.Looked.class)
        .hasAtLeastOneElementOfType(Event.FineTuned.class);
  }

  /** Law: batches made apart, one after the other, are the batches made at once. */
  @Test
  void batchesCanBeMadeApart() {
    Path all = run().synthesize(job(12, new Images.Synthesized()), scratch.resolve("all"), false);
    Path first =
        run().synthesize(job(4, new Images.Synthesized()), scratch.resolve("first"), false);
    Path rest = run().synthesize(job(8, new Images.Synthesized(1)), scratch.resolve("rest"), false);
    float[] whole = Safetensors.read(all).tensor("images").floats();
    assertThat(Safetensors.read(first).tensor("images").floats())
        .isEqualTo(Arrays.copyOf(whole, whole.length / 3));
    assertThat(Safetensors.read(rest).tensor("images").floats())
        .isEqualTo(Arrays.copyOfRange(whole, whole.length / 3, whole.length));
    same(
        Hast.quantize(job(12, new Images.Stored(List.of(first, rest))), DEVICES.open()).network(),
        Hast.quantize(job(12, new Images.Stored(List.of(all))), DEVICES.open()).network());
  }

  /** Images without labels get the classes that the network gives them. */
  @Test
  void imagesNeedNoLabels() {
    Random random = new Random(6);
    byte[] pixels = new byte[6 * 3 * 32 * 32];
    random.nextBytes(pixels);
    ImageSet blank = new ImageSet(10, 3, 32, 32, new int[6], pixels);
    int[] classes;
    try (Memory memory = new Memory(DEVICES.open());
        Evaluation teacher = Evaluation.of(memory, NETWORK, 2)) {
      classes = teacher.classify(blank, Normalization.CIFAR10, _ -> {}).classes();
    }
    ImageSet labeled = new ImageSet(10, 3, 32, 32, classes, pixels);
    QuantizedNetwork network =
        Hast.quantize(job(4, new Images.Real(blank, false)), DEVICES.open()).network();
    same(Hast.quantize(job(4, new Images.Real(labeled, true)), DEVICES.open()).network(), network);
    assertThat(classes).as("not what was given").isNotEqualTo(blank.labels());
  }

  @Test
  void aSpecSaysWhatAJobIs() throws IOException {
    Path file = scratch.resolve("network.safetensors");
    Checkpoint.write(file, NETWORK);
    RunSpec spec = RunSpec.of(file, new Scheme(new Bits(3, 5)), recipe(4), -7);
    Path written = scratch.resolve("spec.json");
    spec.write(written);
    assertThat(RunSpec.read(written)).isEqualTo(spec);
    assertThat(Files.readString(written)).doesNotContain("resize", "interpolation");
    for (Resize resize :
        List.of(
            new Resize(Optional.of(new Resize.ShorterSide(40)), Optional.empty()),
            new Resize(
                Optional.of(new Resize.Squash()), Optional.of(Resize.Interpolation.BICUBIC)))) {
      RunSpec resized =
          new RunSpec(
              spec.network(),
              spec.sha256(),
              new Given(
                  Optional.empty(), Optional.empty(), resize, Map.of("epsilon", "1e-3"), true),
              spec.scheme(),
              spec.recipe(),
              spec.images(),
              spec.seed());
      resized.write(written);
      assertThat(RunSpec.read(written)).isEqualTo(resized);
    }
    spec.write(written);
    Job job = spec.job();
    assertThat(job.teacher().weights()).usingRecursiveComparison().isEqualTo(NETWORK.weights());
    assertThat(job.scheme()).isEqualTo(spec.scheme());
    assertThat(job.recipe()).isEqualTo(recipe(4));
    assertThat(job.seed()).isEqualTo(-7);

    // Its network may lie elsewhere, but must be the same.
    Path elsewhere = Files.move(file, scratch.resolve("elsewhere.safetensors"));
    assertThat(spec.withNetwork(elsewhere).job().sourceSha256()).isEqualTo(spec.sha256());
    Checkpoint.write(file, Networks.of(MODEL, 6));
    assertThatThrownBy(spec::job)
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("another file");
  }

  @Test
  void aDamagedSpecIsNamed() throws IOException {
    Path file = scratch.resolve("network.safetensors");
    Checkpoint.write(file, NETWORK);
    Path written = scratch.resolve("spec.json");
    RunSpec.of(file, new Scheme(new Bits(4, 4)), recipe(4), 1).write(written);
    String good = Files.readString(written);
    for (String[] change :
        new String[][] {
          {"\"format\" : 1", "\"format\" : 2"},
          {"\"seed\" : \"1\"", "\"seed\" : \"one\""},
          {"\"seed\" : \"1\"", "\"sees\" : \"1\""},
          {"\"weight_bits", "\"weight_bit"},
          {"{", "["},
          {"batch=4", "batch=-4"}
        }) {
      assertThat(good).contains(change[0]);
      Files.writeString(written, good.replace(change[0], change[1]));
      assertThatThrownBy(() -> RunSpec.read(written))
          .as(change[1])
          .isInstanceOf(CorruptFileException.class)
          .hasMessageContaining("spec.json");
    }
  }
}
