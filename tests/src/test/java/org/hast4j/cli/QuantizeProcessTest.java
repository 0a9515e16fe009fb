package org.hast4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.hast4j.io.Safetensors;
import org.hast4j.io.Sha256;
import org.hast4j.model.Model;
import org.hast4j.nn.Checkpoint;
import org.hast4j.quant.QuantizedNetwork;
import org.hast4j.zoo.Topologies;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whole runs of {@code hast quantize}, undisturbed and killed. */
class QuantizeProcessTest {
  private static final List<String> RESULTS =
      List.of("quantised.safetensors", "metrics.jsonl", "synthetic.safetensors", "result.json");

  @TempDir private static Path scratch;
  private static Path network;
  private static Path undisturbed;
  private static HastProcess.Outcome outcome;

  @BeforeAll
  static void run() {
    network = TinyNetwork.write(scratch.resolve("tiny.safetensors"), 10);
    undisturbed = scratch.resolve("undisturbed");
    outcome = HastProcess.run(scratch, command(undisturbed, "--threads", "1", "--json"));
    assertThat(outcome.code()).as(outcome.err()).isZero();
  }

  private static String[] command(Path folder, String... more) {
    List<String> arguments =
        new ArrayList<>(
            List.of("quantize", network.toString(), "--bits=W3A4", "--out", folder.toString()));
    arguments.addAll(TinyNetwork.RECIPE);
    arguments.addAll(List.of(more));
    return arguments.toArray(String[]::new);
  }

  private static List<String> checksums(Path folder) {
    return RESULTS.stream().map(name -> name + " " + Sha256.of(folder.resolve(name))).toList();
  }

  @Test
  void printsOnlyJsonAndItIsRight() throws IOException {
    JsonNode json = new ObjectMapper().readTree(outcome.out());
    Path file = undisturbed.resolve("quantised.safetensors");
    assertThat(json.get("quantised").asText()).isEqualTo(file.toString());
    assertThat(json.get("quantised_sha256").asText()).isEqualTo(Sha256.of(file));
    assertThat(json.get("quantised_bytes").asLong()).isEqualTo(Files.size(file));
    assertThat(json.get("network_sha256").asText()).isEqualTo(Sha256.of(network));
    assertThat(json.get("topology").asText()).isEqualTo("cifar-resnet8-w4-b");
    assertThat(json.get("full_precision_accuracy").isNull()).as("no test set here").isTrue();
    assertThat(json.get("fine_tuned_agreement").asDouble()).isBetween(0.0, 100.0);
    assertThat(outcome.err()).contains("CIFAR-10 is not in").contains("hast data");
    QuantizedNetwork quantized = QuantizedNetwork.read(file);
    assertThat(quantized.scheme().bits().weights()).isEqualTo(3);
    assertThat(quantized.scheme().bits().activations()).isEqualTo(4);
    assertThat(quantized.provenance().sourceSha256()).isEqualTo(Sha256.of(network));
  }

  @Test
  void givesTheSameBytesOnTwoThreadsThatAreAwaitedAndATable() {
    Path folder = scratch.resolve("threads");
    HastProcess.Outcome two =
        HastProcess.run(scratch, command(folder, "--threads", "2", "--check-launches"));
    assertThat(two.code()).as(two.err()).isZero();
    assertThat(checksums(folder)).isEqualTo(checksums(undisturbed));
    assertThat(two.out())
        .contains("full precision", "straight after rounding", "after HAST")
        .contains("Without a test set there is no accuracy")
        .contains(folder.resolve("quantised.safetensors").toString());
  }

  /** From its spec, with the network elsewhere. */
  @Test
  void canBeRepeated() throws IOException {
    Path elsewhere = Files.copy(network, scratch.resolve("elsewhere.safetensors"));
    Path folder = scratch.resolve("repeated");
    Path spec = undisturbed.resolve("spec.json");
    HastProcess.Outcome again =
        HastProcess.run(
            scratch,
            "run",
            spec.toString(),
            "--network",
            elsewhere.toString(),
            "--out",
            folder.toString());
    assertThat(again.code()).as(again.err()).isZero();
    assertThat(checksums(folder)).isEqualTo(checksums(undisturbed));
  }

  /** Its images made in two parts, on what might be two machines. */
  @Test
  void takesImagesThatWereMadeApart() {
    List<String> parts = new ArrayList<>();
    for (String batches : List.of("0", "1-3")) {
      Path folder = scratch.resolve("batches" + batches);
      List<String> command =
          new ArrayList<>(
              List.of(
                  "synthesize",
                  network.toString(),
                  "--batches",
                  batches,
                  "--out",
                  folder.toString()));
      command.addAll(TinyNetwork.RECIPE);
      HastProcess.Outcome made = HastProcess.run(scratch, command.toArray(String[]::new));
      assertThat(made.code()).as(made.err()).isZero();
      parts.add(folder.resolve("synthetic.safetensors").toString());
    }
    Path folder = scratch.resolve("joined");
    HastProcess.Outcome joined =
        HastProcess.run(scratch, command(folder, "--images", String.join(",", parts)));
    assertThat(joined.code()).as(joined.err()).isZero();
    assertThat(Sha256.of(folder.resolve("quantised.safetensors")))
        .isEqualTo(Sha256.of(undisturbed.resolve("quantised.safetensors")));
  }

  /** Also says on how many images of the folder both networks agree. */
  @Test
  void takesImagesOfTheUsersWithoutLabels() throws IOException {
    Path images = Files.createDirectories(scratch.resolve("images"));
    Random random = new Random(5);
    for (int i = 0; i < 6; i++) {
      BufferedImage image = new BufferedImage(40, 36, BufferedImage.TYPE_INT_RGB);
      for (int at = 0; at < 40 * 36; at++) {
        image.setRGB(at % 40, at / 40, random.nextInt(1 << 24));
      }
      assertThat(ImageIO.write(image, "png", images.resolve(i + ".png").toFile())).isTrue();
    }
    Path folder = scratch.resolve("own");
    HastProcess.Outcome own =
        HastProcess.run(scratch, command(folder, "--real-images", images.toString()));
    assertThat(own.code()).as(own.err()).isZero();
    assertThat(own.out()).contains("share of given images");
    HastProcess.Outcome evaluated =
        HastProcess.run(
            scratch,
            "evaluate",
            folder.resolve("quantised.safetensors").toString(),
            "--reference",
            network.toString(),
            "--images",
            images.toString());
    assertThat(evaluated.code()).as(evaluated.err()).isZero();
    assertThat(evaluated.out()).contains("6 images of", "agrees with");
  }

  @Test
  void endsWithTheSameBytesHoweverOftenItIsKilled() throws IOException, InterruptedException {
    Path folder = scratch.resolve("killed");
    Random random = new Random(11);
    int killed = 0;
    // Lines of metrics: 4 batches of synthesis, 1 of calibration, then one every 50 steps.
    for (int lines : new int[] {0, 2, 5, 6}) {
      HastProcess process =
          HastProcess.start(scratch, command(folder, "--resume", "--checkpoint-every", "0"));
      while (process.isAlive() && (lines(folder) < lines || !checkpointed(folder))) {
        Thread.sleep(2);
      }
      Thread.sleep(random.nextInt(30));
      killed += process.isAlive() ? 1 : 0;
      process.kill();
      process.outcome();
    }
    assertThat(killed).as("kills that hit a running process").isGreaterThanOrEqualTo(3);
    HastProcess.Outcome last = HastProcess.run(scratch, command(folder, "--resume"));
    assertThat(last.code()).as(last.err()).isZero();
    assertThat(checksums(folder)).isEqualTo(checksums(undisturbed));
  }

  /** Nothing but the signal has it write a checkpoint within fine-tuning. */
  @Test
  void writesACheckpointWhenItIsAskedToEnd() throws IOException, InterruptedException {
    Path folder = scratch.resolve("terminated");
    String[] command =
        Arrays.stream(command(folder, "--checkpoint-every", "100000", "--resume"))
            .map(argument -> argument.replace("fine-tuning.steps=110", "fine-tuning.steps=100000"))
            .toArray(String[]::new);
    HastProcess process = HastProcess.start(scratch, command);
    // 4 batches of synthesis, calibration, and fine-tuning has begun.
    while (process.isAlive() && lines(folder) < 6) {
      Thread.sleep(2);
    }
    process.terminate();
    HastProcess.Outcome ended = process.outcome();
    assertThat(ended.code()).as(ended.err()).isEqualTo(143);
    assertThat(ended.err()).contains("--resume goes on").doesNotContain("is lost", "Exception");
    Safetensors checkpoint = Safetensors.read(folder.resolve("checkpoint.safetensors"));
    assertThat(checkpoint.metadata()).containsEntry("stage", "FINE_TUNING");
    assertThat(Long.parseLong(checkpoint.metadata().get("done"))).isGreaterThanOrEqualTo(50);
  }

  private static boolean checkpointed(Path folder) {
    return Files.exists(folder.resolve("checkpoint.safetensors"));
  }

  private static long lines(Path folder) throws IOException {
    Path metrics = folder.resolve("metrics.jsonl");
    if (!Files.exists(metrics)) {
      return 0;
    }
    try (Stream<String> lines = Files.lines(metrics)) {
      return lines.count();
    }
  }

  @Test
  void reusesTheImagesOfAnEarlierSynthesis() {
    Path images = scratch.resolve("images");
    List<String> synthesize =
        new ArrayList<>(List.of("synthesize", network.toString(), "--out", images.toString()));
    synthesize.addAll(TinyNetwork.RECIPE);
    HastProcess.Outcome made = HastProcess.run(scratch, synthesize.toArray(String[]::new));
    assertThat(made.code()).as(made.err()).isZero();
    Path file = images.resolve("synthetic.safetensors");
    assertThat(made.out()).contains("16 images").contains(file.toString());
    assertThat(Sha256.of(file)).isEqualTo(Sha256.of(undisturbed.resolve("synthetic.safetensors")));

    Path folder = scratch.resolve("reused");
    HastProcess.Outcome used =
        HastProcess.run(scratch, command(folder, "--images", file.toString()));
    assertThat(used.code()).as(used.err()).isZero();
    assertThat(Sha256.of(folder.resolve("quantised.safetensors")))
        .isEqualTo(Sha256.of(undisturbed.resolve("quantised.safetensors")));
  }

  /** Images of another size, and augmented synthesis; the files say what they hold. */
  @ParameterizedTest
  @CsvSource({
    "resnet18-w4-10-64px, 17",
    "mobilenetv1-w0.1-10-64px, 27",
    "mobilenetv2-w0.1-10-64px, 35"
  })
  void quantizesAnImageNetNetwork(String name, int quantizers) {
    Model model = Topologies.named(name);
    Path source = scratch.resolve(name + ".safetensors");
    Checkpoint.write(source, TinyNetwork.of(model));
    Path folder = scratch.resolve(name);
    List<String> arguments =
        new ArrayList<>(
            List.of("quantize", source.toString(), "--bits=W4A4", "--out", folder.toString()));
    arguments.addAll(List.of("--recipe=imagenet", "--set=fine-tuning.steps=5"));
    TinyNetwork.RECIPE.stream()
        .filter(argument -> !argument.contains("fine-tuning.steps"))
        .forEach(arguments::add);
    HastProcess.Outcome made = HastProcess.run(scratch, arguments.toArray(String[]::new));
    assertThat(made.code()).as(made.err()).isZero();
    assertThat(made.err()).contains("no test set for " + name);
    QuantizedNetwork quantized = QuantizedNetwork.read(folder.resolve("quantised.safetensors"));
    assertThat(quantized.model()).isEqualTo(model);
    assertThat(quantized.ranges()).hasSize(quantizers);
    assertThat(
            Safetensors.read(folder.resolve("synthetic.safetensors"))
                .tensor("images")
                .shape()
                .sizes())
        .containsExactly(16, 3, 64, 64);
  }

  @Test
  void refusesARunThatIsThereAlready() {
    HastProcess.Outcome again = HastProcess.run(scratch, command(undisturbed));
    Refusals.check(again, "undisturbed", "already holds a run", "--resume");
  }

  @Test
  void refusesToResumeWithAnotherSeed() {
    HastProcess.Outcome other =
        HastProcess.run(scratch, command(undisturbed, "--resume", "--seed", "2"));
    Refusals.check(other, "undisturbed", "another seed (1, not 2)");
  }

  @Test
  void refusesACorruptCheckpoint() throws IOException {
    Path folder = scratch.resolve("corrupt");
    Files.createDirectory(folder);
    for (String name : List.of("run.json", "metrics.jsonl", "synthetic.safetensors")) {
      Files.copy(undisturbed.resolve(name), folder.resolve(name));
    }
    byte[] checkpoint = Files.readAllBytes(undisturbed.resolve("checkpoint.safetensors"));
    Files.write(
        folder.resolve("checkpoint.safetensors"), Arrays.copyOf(checkpoint, checkpoint.length / 2));
    HastProcess.Outcome resumed = HastProcess.run(scratch, command(folder, "--resume"));
    Refusals.check(resumed, "checkpoint.safetensors");
  }
}
