package org.hast4j.cli;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.hast4j.device.driver.Platform;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Help, devices, and how the command line says no. */
class CommandLineProcessTest {
  @TempDir private Path scratch;

  private HastProcess.Outcome hast(Object... arguments) {
    return HastProcess.run(
        scratch, Arrays.stream(arguments).map(Object::toString).toArray(String[]::new));
  }

  private HastProcess.Outcome quantize(Path network, Object... more) {
    Object[] all =
        Arrays.copyOf(new Object[] {"quantize", network, "--bits=W4A4"}, 3 + more.length);
    System.arraycopy(more, 0, all, 3, more.length);
    return hast(all);
  }

  @Test
  void helpTeaches() {
    HastProcess.Outcome help = hast("--help");
    assertThat(help.code()).isZero();
    assertThat(help.out())
        .contains("hast demo", "hast quantize NETWORK --bits W4A4", "hast evaluate")
        .contains("synthesize", "train", "data", "devices")
        .contains("Exit codes: 0 done; 1", "130 interrupted");
    assertThat(help.err()).isEmpty();
  }

  @Test
  void commandsHaveHelpOfTheirOwn() {
    HastProcess.Outcome help = hast("quantize", "--help");
    assertThat(help.code()).isZero();
    assertThat(help.out()).contains("--bits", "--recipe", "--resume", "--threads", "--stacktrace");
  }

  @Test
  void devicesAreListed() throws IOException {
    HastProcess.Outcome devices = hast("devices", "--json");
    assertThat(devices.code()).as(devices.err()).isZero();
    JsonNode json = new ObjectMapper().readTree(devices.out());
    assertThat(json.get(0).get("device").asText()).isEqualTo("cpu");
    assertThat(json.get(0).get("available").asBoolean()).isTrue();
    assertThat(json.get(1).get("device").asText()).isEqualTo("cuda");
    assertThat(json.get(1).has("devices") || json.get(1).has("reasons")).isTrue();
    for (String library : List.of("cudnn", "cublasLt")) {
      assertThat(json.get(1).has(library) || json.get(1).has(library + "Reason"))
          .as("whether %s is there, told of a GPU", library)
          .isEqualTo(json.get(1).has("devices"));
    }
  }

  /** The emulated library has two. */
  @Test
  void aDeviceThatThereIsNotIsRefusedWithThoseThatThereAre() {
    Platform.EMULATED.assumeUsable();
    Path network = TinyNetwork.write(scratch.resolve("tiny.safetensors"), 10);
    HastProcess.Outcome outcome =
        HastProcess.runOn(
            Platform.EMULATED_LIBRARY,
            scratch,
            "quantize",
            network.toString(),
            "--bits=W4A4",
            "--conv=own",
            "--device=cuda:2",
            "--out",
            scratch.resolve("run").toString());
    Refusals.check(
        outcome, "CUDA has no device 2, only 0 (emulated device 0", "1 (emulated device 1");
  }

  @Test
  void cudnnOnTheCpuIsRefusedBeforeAnyWork() {
    Path network = TinyNetwork.write(scratch.resolve("tiny.safetensors"), 10);
    Refusals.check(quantize(network, "--conv=cudnn"), "cuDNN needs an NVIDIA GPU", "--device cuda");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          quantise                                      | hast quantize
          quantize n.safetensors --bits W9A4            | W9A4
          quantize n.safetensors --bits W4A4 --layer-bits fc=W9A4 | such as W4A4; got 'W9A4'
          quantize n.safetensors --bits W4A4 --set a=1  | unknown recipe values [a]
          quantize n.safetensors --bits W4A4 --out=     | it is empty
          quantize n.safetensors --bits W4A4 --seed 1.5 | '1.5' is not a whole number
          evaluate n.safetensors --threads 0            | --threads must be 1 to 1024, got 0
          evaluate n.safetensors --threads 1025         | --threads must be 1 to 1024, got 1025
          train --out n.safetensors --recipe quick      | --recipe needs --quantize
          evaluate n.safetensors --device gpu   | expected cpu, cuda, or cuda:N for one of several GPUs, got 'gpu'
          evaluate n.safetensors --device cpu:0 | got 'cpu:0'
          evaluate n.safetensors --device cuda: | got 'cuda:'
          evaluate n.safetensors --device cuda:-1 | got 'cuda:-1'
          train --threads 1 --precision fp32 --conv own | --out FILE.safetensors is missing
          """)
  void misuseIsExplained(String arguments, String named) {
    HastProcess.Outcome outcome = hast((Object[]) arguments.split(" +"));
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err()).contains(named).doesNotContain("\tat ", "Exception");
  }

  @Test
  void refusesATruncatedNetwork() throws IOException {
    Path network = TinyNetwork.write(scratch.resolve("short.safetensors"), 10);
    byte[] bytes = Files.readAllBytes(network);
    Files.write(network, Arrays.copyOf(bytes, bytes.length - 100));
    Refusals.check(quantize(network), "short.safetensors");
  }

  @Test
  void refusesAHeaderThatLies() throws IOException {
    Path network = TinyNetwork.write(scratch.resolve("lie.safetensors"), 10);
    byte[] bytes = Files.readAllBytes(network);
    ByteBuffer.wrap(bytes).order(LITTLE_ENDIAN).putLong(0, Long.MAX_VALUE / 2);
    Files.write(network, bytes);
    Refusals.check(quantize(network), "lie.safetensors", "header");
  }

  @Test
  void refusesWeightsThatAreNoNumbers() {
    Path network =
        TinyNetwork.writeDamaged(
            scratch.resolve("nan.safetensors"),
            (name, values) -> values.get(name)[3] = Float.NaN,
            "layer2.0.conv1.weight");
    Refusals.check(quantize(network), "nan.safetensors", "layer2.0.conv1.weight", "NaN");
  }

  @Test
  void refusesANetworkWithoutABatchNorm() {
    Path network =
        TinyNetwork.writeDamaged(
            scratch.resolve("folded.safetensors"),
            (name, values) -> values.remove(name),
            "layer1.0.bn2.running_mean");
    Refusals.check(quantize(network), "folded.safetensors", "layer1.0.bn2.running_mean", "folded");
  }

  @Test
  void refusesBitsOfALayerThatThereIsNot() {
    Path network = TinyNetwork.write(scratch.resolve("n.safetensors"), 10);
    Refusals.check(
        quantize(network, "--layer-bits", "first=W8A8,fd=W8A8"),
        "no layer \"fd\"",
        "the nearest names are fc,");
  }

  @Test
  void refusesAModelThatIsNone() throws IOException {
    Path network = TinyNetwork.write(scratch.resolve("n.safetensors"), 10);
    Path model = Files.writeString(scratch.resolve("model.json"), "{\"format\": 1}");
    Refusals.check(quantize(network, "--model", model), "model.json: the model: it lacks \"name\"");
  }

  @Test
  void refusesATestSetWithOtherClasses() {
    Path network = TinyNetwork.write(scratch.resolve("seven.safetensors"), 7);
    Refusals.check(
        quantize(network, "--test=cifar10", "--out", scratch.resolve("run")),
        "cifar-resnet8-w4-b-7",
        "7 classes",
        "CIFAR-10 has 10");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          0,2401 | no step 0, fine-tuning has steps 1 to 2400
          2401   | no step 2401, fine-tuning has steps 1 to 2400
          2.5    | '2.5' is not a whole number
          """)
  void refusesToEvaluateAtStepsThatThereAreNot(String steps, String named) {
    Path network = TinyNetwork.write(scratch.resolve("tiny.safetensors"), 10);
    HastProcess.Outcome outcome = quantize(network, "--evaluate-at", steps);
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.err()).contains(named);
  }

  /** Before anything is trained or fetched. */
  @Test
  void refusesToTrainIntoNowhere() {
    Path file = scratch.resolve("none/network.safetensors");
    Refusals.check(hast("train", "--out", file), file.toString(), "none does not exist");
    Refusals.check(hast("train", "--out", scratch), scratch + ": it is a folder");
  }

  @Test
  void refusesAFolderItCannotMake() {
    Path network = TinyNetwork.write(scratch.resolve("tiny.safetensors"), 10);
    Refusals.check(
        quantize(network, "--out", network.resolve("run")), "cannot create the run folder", "run");
  }

  @Test
  void stacktraceIsThereForWhoAsks() {
    HastProcess.Outcome outcome =
        hast("--stacktrace", "evaluate", scratch.resolve("none.safetensors"));
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.err())
        .contains("none.safetensors: there is no such file", "\tat org.hast4j.cli");
  }

  /** A program whose own recipes are broken is nothing that a user's command could mend. */
  @Test
  void aDefectIsShownAsOne() throws IOException {
    Path network = TinyNetwork.write(scratch.resolve("tiny.safetensors"), 10);
    Path recipes = Files.createDirectories(scratch.resolve("broken/org/hast4j/recipes"));
    Files.writeString(recipes.resolve("reference.conf"), "synthesis {\u001b");
    HastProcess.Outcome outcome =
        HastProcess.runBehind(
            scratch.resolve("broken"), scratch, "quantize", network.toString(), "--bits=W4A4");
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.out()).isEmpty();
    assertThat(outcome.err())
        .startsWith("hast: a defect of hast4j, not of your command, files or machine: ")
        .contains("ConfigException", "\tat org.hast4j.hast.Recipe")
        .contains("please report it", "\n  hast quantize " + network + " --bits=W4A4\n")
        .contains("the same command with --resume goes on")
        .doesNotContain("Try: ", "\u001b");
  }

  /** Brackets that no parser gets to the bottom of, and types that no recipe has. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          a : [[                        | nested too deeply
          fine-tuning = 3               | fine-tuning
          include required(file("none")) | none
          synthesis.batch = null        | synthesis.batch
          synthesis.images = "${x}"     | synthesis.images
          synthesis.images = ${x}       | ${x}
          calibration.batch = [1]       | calibration.batch
          fine-tuning.steps = 1e400     | fine-tuning.steps
          """)
  void refusesARecipeThatIsNone(String text, String named) throws IOException {
    Path network = TinyNetwork.write(scratch.resolve("tiny.safetensors"), 10);
    Path recipe = scratch.resolve("mine.conf");
    Files.writeString(recipe, text.replace("[[", "[".repeat(100_000)));
    HastProcess.Outcome outcome = quantize(network, "--recipe", recipe);
    assertThat(outcome.code()).as(outcome.err()).isEqualTo(2);
    assertThat(outcome.err()).contains(named).doesNotContain("\tat ", "Exception", "defect");
  }

  @Test
  void saysThatStandardOutputIsFull() {
    HastProcess.Outcome devices = HastProcess.runInto(Path.of("/dev/full"), scratch, "devices");
    assertThat(devices.code()).isEqualTo(1);
    assertThat(devices.err()).contains("standard output is closed or full");
  }

  /** Where no locale is set, as in most containers, Java knows the characters of ASCII only. */
  @Test
  void aPathBeyondTheLocaleIsExplained() {
    HastProcess.Outcome outcome = hast("evaluate", "\u00fc.safetensors");
    Refusals.check(outcome, "\u00fc.safetensors: there is no such file");
    outcome = HastProcess.runIn(Map.of("LC_ALL", "C"), scratch, "evaluate", "\u00fc.safetensors");
    assertThat(outcome.code()).isEqualTo(2);
    assertThat(outcome.err()).contains("LC_ALL=C.UTF-8").doesNotContain("Exception");
  }

  @Test
  void namesFromAFileDoNotSteerTheTerminal() throws IOException {
    byte[] header =
        "{\"a\\u001b[31m\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
            .getBytes(UTF_8);
    ByteBuffer file =
        ByteBuffer.allocate(Long.BYTES + header.length + Float.BYTES).order(LITTLE_ENDIAN);
    Path network = scratch.resolve("escape.safetensors");
    Files.write(network, file.putLong(header.length).put(header).array());
    HastProcess.Outcome outcome = quantize(network);
    Refusals.check(outcome, "escape.safetensors", "a?[31m");
    assertThat(outcome.err()).doesNotContain("\u001b");
  }

  @Test
  void imagesThatAreNotThereAreNamedOnce() {
    Path network = TinyNetwork.write(scratch.resolve("tiny.safetensors"), 10);
    Path out = scratch.resolve("run");
    Refusals.check(
        quantize(network, "--images=none.safetensors", "--out", out),
        "cannot read none.safetensors: there is no such file");
    Refusals.check(
        quantize(network, "--images", scratch, "--out", out), scratch + ": it is not a file");
  }

  /** Modules keep their resources to themselves, the recipes among them. */
  @Test
  void runsAsAModule() {
    Refusals.check(
        HastProcess.runAsModule(scratch, "quantize", "none.safetensors", "--bits=W4A4"),
        "none.safetensors: there is no such file");
  }

  /** The reader of JPEGs is a module of its own. */
  @Test
  void readsJpegsAsAModule() throws IOException {
    Path network = TinyNetwork.write(scratch.resolve("tiny.safetensors"), 10);
    Path folder = Files.createDirectory(scratch.resolve("pictures"));
    for (String name : List.of("420.jpg", "ycck.jpg")) {
      Files.copy(Path.of("src/test/resources/pictures", name), folder.resolve(name));
    }
    HastProcess.Outcome outcome =
        HastProcess.runAsModule(
            scratch,
            "evaluate",
            network.toString(),
            "--reference=" + network,
            "--images=" + folder);
    assertThat(outcome.code()).as(outcome.err()).isZero();
    assertThat(outcome.out()).contains("2 images of", "agrees with", "on 100.00 %");
  }
}
