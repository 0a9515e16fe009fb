package org.hast4j.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.hast4j.failure.Mendable;
import org.hast4j.failure.Remedy;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.golden.Golden;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.model.Resize;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Networks in files: there and back, other people's names, and files that are not what they should
 * be.
 */
class StateDictTest {
  private static final Normalization NORMALIZATION = Normalization.CIFAR10;

  @TempDir Path folder;

  private static Network network(CifarResNet.Shortcut shortcut) {
    return network(CifarResNet.of(8, 4, 10, shortcut));
  }

  private static Network network(Model model) {
    Random random = new Random(5);
    Map<String, float[]> weights = new LinkedHashMap<>();
    for (ParameterLayout layout :
        new ParameterLayout[] {
          ParameterLayout.parameters(model), ParameterLayout.statistics(model)
        }) {
      for (String name : layout.names()) {
        float[] values = new float[Math.toIntExact(layout.get(name).type().shape().elements())];
        for (int i = 0; i < values.length; i++) {
          values[i] =
              name.endsWith("_var") ? random.nextFloat() + .1f : (float) random.nextGaussian();
        }
        weights.put(name, values);
      }
    }
    return new Network(model, NORMALIZATION, weights);
  }

  private static void same(Network actual, Network expected) {
    assertThat(actual.model().name()).isEqualTo(expected.model().name());
    assertThat(actual.normalization().mean()).containsExactly(expected.normalization().mean());
    assertThat(actual.normalization().std()).containsExactly(expected.normalization().std());
    assertThat(actual.weights().keySet()).isEqualTo(expected.weights().keySet());
    expected
        .weights()
        .forEach(
            (name, values) -> assertThat(actual.weights().get(name)).as(name).isEqualTo(values));
  }

  @ParameterizedTest
  @EnumSource
  void comesBackFromAFile(CifarResNet.Shortcut shortcut) {
    Network network = network(shortcut);
    Path file = folder.resolve("network.safetensors");
    Checkpoint.write(file, network);
    same(NetworkReader.read(file), network);
    assertThat(Safetensors.read(file).tensor("conv1.weight").shape())
        .isEqualTo(Shape.of(4, 3, 3, 3));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "resnet18-w2-7",
        "resnet34-w1-5-64px",
        "mobilenetv1-w0.05-7",
        "mobilenetv2-w0.1-5-64px",
        "mobilenetv2-expanded-w0.05-5"
      })
  void imageNetNetworksComeBackFromAFile(String name) {
    Network network = network(Topologies.named(name));
    Path file = folder.resolve("network.safetensors");
    Checkpoint.write(file, network);
    same(NetworkReader.read(file), network);
  }

  /** One value of a file in PyTorch's order: [o, i, h, w]. */
  @Test
  void weightsLieInPyTorchsOrder() {
    Network network = network(CifarResNet.Shortcut.A);
    Path file = folder.resolve("network.safetensors");
    Checkpoint.write(file, network);
    float[] outside = Safetensors.read(file).tensor("layer2.0.conv1.weight").floats();
    float[] inside = network.weights().get("layer2.0.conv1.weight");
    // o 5, i 3, h 2, w 1 of [8, 4, 3, 3] and of [8, 3, 3, 4]
    assertThat(outside[((5 * 4 + 3) * 3 + 2) * 3 + 1])
        .isEqualTo(inside[((5 * 3 + 2) * 3 + 1) * 4 + 3]);
  }

  @Test
  void halfPrecisionKeepsElevenBits() {
    Network network = network(CifarResNet.Shortcut.B);
    Path file = folder.resolve("half.safetensors");
    Checkpoint.writeHalf(file, network);
    Network half = NetworkReader.read(file);
    network
        .weights()
        .forEach(
            (name, values) -> {
              float[] read = half.weights().get(name);
              for (int i = 0; i < values.length; i++) {
                assertThat(Math.abs(read[i] - values[i]) <= Math.abs(values[i]) / 2048 + 1e-7)
                    .as(name)
                    .isTrue();
              }
            });
    assertThat(half.weights().get("bn1.running_var"))
        .containsExactly(network.weights().get("bn1.running_var"));
  }

  // ---- other names ----

  private Path renamed(
      Network network, java.util.function.UnaryOperator<String> rename, boolean metadata) {
    SafetensorsWriter writer = new SafetensorsWriter();
    if (metadata) {
      writer.metadata("mean", "[0.491, 0.482, 0.447]").metadata("std", "[0.247, 0.243, 0.262]");
    }
    Path original = folder.resolve("original.safetensors");
    Checkpoint.write(original, network);
    Safetensors tensors = Safetensors.read(original);
    for (String name : tensors.names()) {
      writer.put(rename.apply(name), tensors.tensor(name).shape(), tensors.tensor(name).floats());
    }
    writer.put("bn1.num_batches_tracked", Shape.of(1), new long[] {7});
    Path file = folder.resolve("renamed.safetensors");
    writer.write(file);
    return file;
  }

  /** Without a word about it in the file the input size is 224. */
  @Test
  void imageNetResNetsHavePytorchcvsNamesToo() {
    Network network = network(Topologies.named("resnet18-w2-7"));
    Path file =
        renamed(
            network,
            name -> {
              String n =
                  name.replaceFirst("^conv1\\.", "features.init_block.conv.conv.")
                      .replaceFirst("^bn1\\.", "features.init_block.conv.bn.")
                      .replaceFirst("^fc\\.", "output.")
                      .replaceFirst("\\.conv([12])\\.weight$", ".body.conv$1.conv.weight")
                      .replaceFirst("^(layer.*)\\.bn([12])\\.", "$1.body.conv$2.bn.")
                      .replace("downsample.0", "identity_conv.conv")
                      .replace("downsample.1", "identity_conv.bn");
              return n.startsWith("layer")
                  ? "features.stage"
                      + n.charAt(5)
                      + ".unit"
                      + (n.charAt(7) - '0' + 1)
                      + n.substring(8)
                  : n;
            },
            true);
    assertThat(Safetensors.read(file).names())
        .contains(
            "features.init_block.conv.conv.weight", "features.stage4.unit2.body.conv2.bn.bias");
    same(NetworkReader.read(file), network);
  }

  /** A state dictionary as torchvision 0.15 has it, of width multiplier 0.25 and 5 classes. */
  @Test
  void torchvisionsMobileNetV2() {
    Random random = new Random(2);
    SafetensorsWriter writer =
        new SafetensorsWriter()
            .metadata("mean", "[0.485, 0.456, 0.406]")
            .metadata("std", "[0.229, 0.224, 0.225]");
    convolution(writer, random, "features.0.0", "features.0.1", 8, 3, 3);
    int[][] blocks = {
      {1, 8, 1}, {6, 8, 2}, {6, 8, 3}, {6, 16, 4}, {6, 24, 3}, {6, 40, 3}, {6, 80, 1}
    };
    int block = 1;
    int inputs = 8;
    for (int[] stage : blocks) {
      for (int i = 0; i < stage[2]; i++) {
        String name = "features." + block++ + ".conv.";
        int hidden = inputs * stage[0];
        int part = 0;
        if (stage[0] > 1) {
          convolution(writer, random, name + part + ".0", name + part + ".1", hidden, inputs, 1);
          part++;
        }
        convolution(writer, random, name + part + ".0", name + part + ".1", hidden, 1, 3);
        part++;
        convolution(writer, random, name + part, name + (part + 1), stage[1], hidden, 1);
        inputs = stage[1];
      }
    }
    convolution(writer, random, "features.18.0", "features.18.1", 1280, 80, 1);
    writer.put("classifier.1.weight", Shape.of(5, 1280), values(random, 5 * 1280));
    writer.put("classifier.1.bias", Shape.of(5), values(random, 5));
    Path file = folder.resolve("torchvision.safetensors");
    writer.write(file);
    Network network = NetworkReader.read(file);
    assertThat(network.model().name()).isEqualTo("mobilenetv2-w0.25-5");
    Safetensors tensors = Safetensors.read(file);
    // A filter of one input channel and one of 1x1 have one order only.
    for (String name :
        new String[] {
          "features.1.conv.0.0.weight",
          "features.14.conv.1.0.weight",
          "features.14.conv.2.weight",
          "features.17.conv.3.running_var",
          "classifier.1.weight"
        }) {
      assertThat(network.weights().get(name))
          .as(name)
          .containsExactly(tensors.tensor(name).floats());
    }
    // o 5, i 2, h 0, w 1 of [8, 3, 3, 3] in both orders
    assertThat(network.weights().get("features.0.0.weight")[((5 * 3 + 0) * 3 + 1) * 3 + 2])
        .isEqualTo(tensors.tensor("features.0.0.weight").floats()[((5 * 3 + 2) * 3 + 0) * 3 + 1]);
  }

  private static void convolution(
      SafetensorsWriter writer,
      Random random,
      String convolution,
      String norm,
      int outputs,
      int inputs,
      int kernel) {
    int count = outputs * inputs * kernel * kernel;
    writer.put(
        convolution + ".weight", Shape.of(outputs, inputs, kernel, kernel), values(random, count));
    for (String part : new String[] {"weight", "bias", "running_mean", "running_var"}) {
      writer.put(norm + "." + part, Shape.of(outputs), values(random, outputs));
    }
    writer.put(norm + ".num_batches_tracked", Shape.of(1), new long[] {3});
  }

  private static float[] values(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = random.nextFloat();
    }
    return values;
  }

  private static SafetensorsWriter normalized() {
    return new SafetensorsWriter()
        .metadata("mean", "[0.491, 0.482, 0.447]")
        .metadata("std", "[0.247, 0.243, 0.262]");
  }

  /** There the first block has an expansion, and the classifier is a convolution without a bias. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "mobilenetv2-expanded-5",
        "mobilenetv2-5",
        "mobilenetv2-w0.75-5",
        "mobilenetv2-expanded-w0.5-5"
      })
  void pytorchcvsMobileNetV2(String model) {
    Network network = network(Topologies.named(model));
    Path file = asPytorchcv(network, "");
    assertThat(Safetensors.read(file).names())
        .contains(
            "features.init_block.conv.weight",
            "features.stage1.unit1.conv3.bn.bias",
            "features.stage2.unit1.conv1.conv.weight",
            "features.stage4.unit7.conv2.conv.weight",
            "features.stage5.unit4.conv3.bn.running_mean",
            "features.final_block.bn.weight");
    Map<String, float[]> expected = new LinkedHashMap<>(network.weights());
    expected.put("classifier.1.bias", new float[5]);
    same(NetworkReader.read(file), network.withWeights(expected));
  }

  /** A MobileNetV2's file with pytorchcv's names, without the tensor called {@code missing}. */
  private Path asPytorchcv(Network network, String missing) {
    Path original = folder.resolve("original.safetensors");
    Checkpoint.write(original, network);
    Safetensors tensors = Safetensors.read(original);
    SafetensorsWriter writer = normalized();
    boolean expanded = network.model().name().contains("expanded");
    for (String name : tensors.names()) {
      Safetensors.Tensor tensor = tensors.tensor(name);
      boolean classifier = name.equals("classifier.1.weight");
      String other = classifier ? "output.weight" : pytorchcv(name, expanded);
      Shape shape = classifier ? Shape.of(5, 1280, 1, 1) : tensor.shape();
      if (!other.equals(missing) && !name.equals("classifier.1.bias")) {
        writer.put(other, shape, tensor.floats());
      }
    }
    Path file = folder.resolve("pytorchcv.safetensors");
    writer.write(file);
    return file;
  }

  @ParameterizedTest
  @CsvSource({
    "features.init_block.conv.weight, features.0.0.weight",
    "features.stage1.unit1.conv3.bn.running_mean, features.1.conv.2.running_mean",
    "features.stage4.unit7.conv2.bn.weight, features.13.conv.1.1.weight",
    "output.weight, classifier.1.weight"
  })
  void pytorchcvsMobileNetV2WithoutATensor(String missing, String asTheModelNamesIt) {
    Path file = asPytorchcv(network(Topologies.named("mobilenetv2-5")), missing);
    assertThatThrownBy(() -> NetworkReader.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageFindingMatch(
            "tensor (" + Pattern.quote(missing) + "|" + Pattern.quote(asTheModelNamesIt) + ")");
  }

  /** Stages begin where the size is halved: 1, 2, 3, 7 and 4 blocks. */
  private static String pytorchcv(String name, boolean expanded) {
    String[] parts = name.split("\\.");
    String last = parts[parts.length - 1];
    if (!name.contains(".conv.")) {
      String block = parts[1].equals("0") ? "init_block" : "final_block";
      return "features." + block + (parts[2].equals("0") ? ".conv." : ".bn.") + last;
    }
    int[] units = {1, 2, 3, 7, 4};
    int unit = Integer.parseInt(parts[1]);
    int stage = 1;
    while (unit > units[stage - 1]) {
      unit -= units[stage++ - 1];
    }
    boolean projection = parts.length == 5;
    int part = Integer.parseInt(parts[3]) + (parts[1].equals("1") && !expanded ? 1 : 0);
    boolean norm = projection ? part == 3 : parts[4].equals("1");
    return "features.stage%d.unit%d.conv%d.%s.%s"
        .formatted(stage, unit, projection ? 3 : part + 1, norm ? "bn" : "conv", last);
  }

  @Test
  void mobileNetsThatCannotBe() {
    Network second = network(Topologies.named("mobilenetv2-w0.05-5"));
    Network first = network(Topologies.named("mobilenetv1-w0.05-5"));
    for (String missing :
        new String[] {
          "features.3.conv.1.1.running_var", "classifier.1.weight", "features.17.conv.2.weight"
        }) {
      refused(changed(second, missing, (_, _, _, _) -> {}), "tensor " + missing);
    }
    refused(
        changed(first, "output.weight", (_, _, _, _) -> {}),
        "read as a MobileNetV1: tensor output.weight is missing");
    refused(
        changed(
            first,
            "output.weight",
            (name, _, _, writer) -> writer.put(name, Shape.of(5, 1000), new float[5000])),
        "output.weight reads 1000 features",
        "[7, 7, 51]");
    refused(
        changed(
            second,
            "features.2.conv.1.0.weight",
            (name, _, values, writer) -> writer.put(name, Shape.of(16, 3, 3, 3), new float[432])),
        "features.2.conv.1.1",
        "48",
        "16");
  }

  /** It is left out where the file has none. */
  @Test
  void aMobileNetWithoutItsClassifiersBias() {
    Network network = network(Topologies.named("mobilenetv1-w0.05-5"));
    Network read = NetworkReader.read(changed(network, "output.bias", (_, _, _, _) -> {}));
    assertThat(read.weights())
        .hasSize(network.weights().size() - 1)
        .doesNotContainKey("output.bias");
  }

  @ParameterizedTest
  @ValueSource(strings = {"fc.", "linear.", "output.", "module.fc.", "module.linear."})
  void classifiersHaveManyNames(String classifier) {
    Network network = network(CifarResNet.Shortcut.B);
    String prefix = classifier.startsWith("module.") ? "module." : "";
    Path file =
        renamed(
            network,
            name -> name.startsWith("fc.") ? name.replaceFirst("fc\\.", classifier) : prefix + name,
            true);
    same(NetworkReader.read(file), network);
  }

  @Test
  void pytorchcvNames() {
    Network network =
        NetworkReader.read(
                Golden.path("small_resnet20"),
                Given.of(
                    Optional.empty(),
                    Optional.of(new Normalization(new float[] {0, 0, 0}, new float[] {1, 1, 1}))))
            .network();
    assertThat(network.model().name()).isEqualTo("cifar-resnet20-w4-b");
    float[] outside =
        Safetensors.read(Golden.path("small_resnet20"))
            .tensor("features.stage2.unit1.identity_conv.conv.weight")
            .floats();
    // A 1x1 convolution has one order only.
    assertThat(network.weights().get("layer2.0.downsample.0.weight")).containsExactly(outside);
    assertThat(network.weights().get("layer3.2.bn2.running_var"))
        .containsExactly(
            Safetensors.read(Golden.path("small_resnet20"))
                .tensor("features.stage3.unit3.body.conv2.bn.running_var")
                .floats());
    assertThat(network.normalization().std()).containsOnly(1);
  }

  // ---- bad files ----

  private static void refused(Path file, String... parts) {
    assertThatThrownBy(() -> NetworkReader.read(file))
        .isInstanceOf(CorruptFileException.class)
        .satisfies(
            e -> Arrays.stream(parts).forEach(part -> assertThat(e).hasMessageContaining(part)));
  }

  /** What a file cannot say is assumed, said, and can be given. */
  @Test
  void whatIsAssumedIsSaid() {
    Network network = network(CifarResNet.Shortcut.B);
    Path file = renamed(network, name -> name, false);
    NetworkReader.Read read = NetworkReader.read(file, Given.NOTHING);
    assertThat(read.network().normalization()).isEqualTo(Normalization.CIFAR10);
    assertThat(String.join("; ", read.assumptions()))
        .contains("a ResNet", "size=32", "epsilon=1e-5", "padding=symmetric", "activation=relu")
        .contains("strides=1-2-2", "as for CIFAR-10");
    Given given =
        new Given(
            Optional.empty(),
            Optional.of(NORMALIZATION),
            Resize.USUAL,
            Map.of("size", "64", "strides", "2-2-1", "epsilon", "0.001", "activation", "relu6"),
            false);
    Network other = NetworkReader.read(file, given).network();
    assertThat(other.normalization()).isEqualTo(NORMALIZATION);
    assertThat(other.model().shape("layer3.0.add")).isEqualTo(Shape.of(16, 16, 16));
    assertThat(other.model().op("bn1")).contains(new Operator.BatchNorm(4, 1e-3f));
    assertThat(other.model().op("relu"))
        .contains(new Operator.Activation(ActivationFunction.boundedRelu(6)));
  }

  @ParameterizedTest
  @CsvSource({
    "strides, 1-2, strides cannot be '1-2'",
    "padding, none, padding cannot be 'none'",
    "epsilon, small, epsilon cannot be 'small'",
    "depth, 20, 'depth' means nothing"
  })
  void whatCannotBeAssumed(String word, String value, String message) {
    Path file = renamed(network(CifarResNet.Shortcut.B), name -> name, false);
    Given given =
        new Given(Optional.empty(), Optional.empty(), Resize.USUAL, Map.of(word, value), false);
    assertThatThrownBy(() -> NetworkReader.read(file, given))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining(message);
  }

  /** What timm writes beside the weights: floor(64 / 0.9) = 71. */
  @Test
  void timmsConfigBesideTheFile() throws IOException {
    Network network = network(CifarResNet.Shortcut.B);
    Path file = renamed(network, name -> name, false);
    Files.writeString(
        file.resolveSibling("config.json"),
        """
        {"architecture": "resnet8", "num_classes": 10, "label_names": [%s],
         "pretrained_cfg": {"input_size": [3, 64, 64], "interpolation": "bicubic", "crop_pct": 0.9,
                            "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}}
        """
            .formatted(
                IntStream.range(0, 10)
                    .mapToObj(i -> "\"class " + i + "\"")
                    .collect(Collectors.joining(", "))));
    NetworkReader.Read read = NetworkReader.read(file, Given.NOTHING);
    assertThat(read.network().normalization())
        .isEqualTo(new Normalization(new float[] {.1f, .2f, .3f}, new float[] {.4f, .5f, .6f}));
    assertThat(read.network().model().input().height()).isEqualTo(64);
    assertThat(read.network().preprocessing().resize())
        .isEqualTo(
            new Resize(
                Optional.of(new Resize.ShorterSide(71)),
                Optional.of(Resize.Interpolation.BICUBIC)));
    assertThat(read.network().classNames()).hasSize(10).contains("class 7");
    Files.writeString(file.resolveSibling("config.json"), "{\"mean\": [1, \"a\"], \"std\": []}");
    assertThatThrownBy(() -> NetworkReader.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("config.json");
  }

  /** All that is too many is named at once, and left out where that is asked for. */
  @Test
  void extraTensorsCanBeDropped() {
    Network network = network(CifarResNet.Shortcut.B);
    Path file =
        changed(
            network,
            "fc.bias",
            (name, shape, values, writer) -> {
              writer.put(name, shape, values);
              writer.put("aux.weight", shape, values);
              writer.put("aux.bias", shape, values);
            });
    assertThatThrownBy(() -> NetworkReader.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("2 tensors do not belong to")
        .hasMessageContaining("aux.weight, aux.bias")
        .satisfies(e -> assertThat(Mendable.remedyOf(e)).contains(Remedy.DROP_EXTRA));
    Given given =
        new Given(Optional.empty(), Optional.of(NORMALIZATION), Resize.USUAL, Map.of(), true);
    NetworkReader.Read read = NetworkReader.read(file, given);
    same(read.network(), network);
    assertThat(String.join("; ", read.assumptions())).contains("2 tensors left out: aux.weight");
  }

  @Test
  void aNormalizationIsAssumedOrNeeded() {
    Network network = network(CifarResNet.Shortcut.B);
    Path file = renamed(network, name -> name, false);
    NetworkReader.Read read = NetworkReader.read(file, Given.NOTHING);
    same(read.network(), network);
    assertThat(read.assumptions()).anyMatch(line -> line.contains("as for CIFAR-10"));
    Normalization other = new Normalization(new float[] {0, 0, 0}, new float[] {1, 1, 1});
    same(
        NetworkReader.read(file, Given.of(Optional.empty(), Optional.of(other))).network(),
        new Network(network.model(), other, network.weights()));
    SafetensorsWriter writer = new SafetensorsWriter();
    Safetensors tensors = Safetensors.read(file);
    for (String name : tensors.names()) {
      Safetensors.Tensor tensor = tensors.tensor(name);
      if (name.equals("conv1.weight")) {
        writer.put(name, Shape.of(4, 1, 3, 3), Arrays.copyOf(tensor.floats(), 36));
      } else if (!name.endsWith("tracked")) {
        writer.put(name, tensor.shape(), tensor.floats());
      }
    }
    Path gray = folder.resolve("gray.safetensors");
    writer.write(gray);
    refused(gray, "no mean and std: give the normalization");
    assertThatThrownBy(() -> NetworkReader.read(gray))
        .satisfies(e -> assertThat(Mendable.remedyOf(e)).contains(Remedy.GIVE_NORMALIZATION));
  }

  @Test
  void aNormalizationOutOfBoundsSaysWhich() {
    Path file = normalized("[0.2, 0.2, 0]");
    refused(file, "channel 2", "standard deviation 0.0");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "0.5",
        "[0.1, \"a\", 3]",
        "{}",
        "[1, 2",
        "[0.2, 0.2, 0]",
        "[]",
        "null",
        "[null, 1, 1]",
        "[1e999, 1, 1]"
      })
  void aNormalizationMustBeNumbers(String std) {
    refused(normalized(std));
  }

  /** A network's file with a standard deviation in its metadata. */
  private Path normalized(String std) {
    Path original = folder.resolve("original.safetensors");
    Checkpoint.write(original, network(CifarResNet.Shortcut.B));
    Safetensors tensors = Safetensors.read(original);
    SafetensorsWriter writer =
        new SafetensorsWriter().metadata("mean", "[0.5, 0.5, 0.5]").metadata("std", std);
    for (String name : tensors.names()) {
      writer.put(name, tensors.tensor(name).shape(), tensors.tensor(name).floats());
    }
    Path file = folder.resolve("file.safetensors");
    writer.write(file);
    return file;
  }

  private interface Change {
    void apply(String name, Shape shape, float[] values, SafetensorsWriter writer);
  }

  /** A file that says how its network's input is normalised, and nothing of its structure. */
  private static SafetensorsWriter stateDict() {
    return new SafetensorsWriter()
        .metadata("mean", "[0.491, 0.482, 0.447]")
        .metadata("std", "[0.247, 0.243, 0.262]");
  }

  private Path changed(String target, Change change) {
    return changed(network(CifarResNet.Shortcut.B), target, change);
  }

  private Path changed(Network network, String target, Change change) {
    Path original = folder.resolve("original.safetensors");
    Checkpoint.write(original, network);
    Safetensors tensors = Safetensors.read(original);
    SafetensorsWriter writer = stateDict();
    for (String name : tensors.names()) {
      Safetensors.Tensor tensor = tensors.tensor(name);
      if (name.equals(target)) {
        change.apply(name, tensor.shape(), tensor.floats(), writer);
      } else {
        writer.put(name, tensor.shape(), tensor.floats());
      }
    }
    Path file = folder.resolve("changed.safetensors");
    writer.write(file);
    return file;
  }

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void weightsThatAreNoNumbers(float value) {
    Path file =
        changed(
            "layer1.0.conv2.weight",
            (name, shape, values, writer) -> {
              values[3] = value;
              writer.put(name, shape, values);
            });
    refused(file, "layer1.0.conv2.weight", "damaged");
  }

  @Test
  void aNegativeVariance() {
    Path file =
        changed(
            "bn1.running_var",
            (name, shape, values, writer) -> {
              values[0] = -.1f;
              writer.put(name, shape, values);
            });
    refused(file, "bn1.running_var", "negative");
  }

  @Test
  void aMissingBatchNorm() {
    refused(changed("layer2.0.bn1.running_mean", (_, _, _, _) -> {}), "layer2.0.bn1.running_mean");
    refused(changed("bn1.weight", (_, _, _, _) -> {}), "bn1.weight");
  }

  @Test
  void aMissingStemOrClassifier() {
    refused(changed("conv1.weight", (_, _, _, _) -> {}), "nearest to a ResNet");
    refused(changed("fc.weight", (_, _, _, _) -> {}), "nearest to a ResNet");
    Network network = NetworkReader.read(changed("fc.bias", (_, _, _, _) -> {}));
    assertThat(network.weights()).containsKey("fc.weight").doesNotContainKey("fc.bias");
  }

  @ParameterizedTest
  @CsvSource({
    "'', layer2.0.shortcut.1.running_var",
    "module., module.layer2.0.shortcut.1.running_mean",
    "net.module., net.module.layer3.0.shortcut.1.bias"
  })
  void whatIsMissingHasTheFilesName(String prefix, String missing) {
    Path original = renamed(network(CifarResNet.Shortcut.B), name -> name, true);
    Safetensors tensors = Safetensors.read(original);
    SafetensorsWriter writer = normalized();
    for (String name : tensors.names()) {
      Safetensors.Tensor tensor = tensors.tensor(name);
      String other = prefix + name.replace("downsample", "shortcut");
      if (!other.equals(missing) && !name.endsWith("tracked")) {
        writer.put(other, tensor.shape(), tensor.floats());
      }
    }
    Path file = folder.resolve("changed.safetensors");
    writer.write(file);
    refused(file, " " + missing + ",");
  }

  @Test
  void aWrongShape() {
    Path file =
        changed(
            "layer3.0.conv1.weight",
            (name, _, values, writer) -> writer.put(name, Shape.of(16, 3, 8, 3), values));
    refused(file, "layer3.0.conv1.weight", "[16, 3, 8, 3]", "8 channels");
  }

  @Test
  void aWrongRank() {
    refused(
        changed(
            "fc.weight",
            (name, _, values, writer) -> writer.put(name, Shape.of(values.length), values)),
        "fc.weight",
        "no matrix");
  }

  @Test
  void weightsThatAreIntegers() {
    Path file =
        changed(
            "fc.bias",
            (name, shape, values, writer) -> writer.put(name, shape, new int[values.length]));
    refused(file, "tensor fc.bias holds I32");
    assertThatThrownBy(() -> NetworkReader.read(file))
        .satisfies(e -> assertThat(e.getMessage()).containsOnlyOnce(file.toString()));
  }

  @Test
  void aTensorTooMany() {
    Path file =
        changed(
            "fc.bias",
            (name, shape, values, writer) -> {
              writer.put(name, shape, values);
              writer.put("layer1.0.conv3.weight", shape, values);
            });
    refused(file, "layer1.0.conv3.weight");
  }

  @Test
  void unevenStages() {
    Path file =
        changed(
            "fc.bias",
            (name, shape, values, writer) -> {
              writer.put(name, shape, values);
              writer.put("layer1.1.conv1.weight", Shape.of(4, 4, 3, 3), new float[144]);
            });
    refused(file, "layer1.1.conv2.weight is missing");
  }

  @Test
  void imageNetResNetsOfOtherDepths() {
    Network network = network(Topologies.named("resnet18-w2-7"));
    for (String extra : new String[] {"layer3.2.conv1.weight", "layer1.0.conv3.weight"}) {
      Path file =
          changed(
              network,
              "fc.bias",
              (name, shape, values, writer) -> {
                writer.put(name, shape, values);
                writer.put(extra, Shape.of(1), new float[1]);
              });
      refused(
          file, extra.contains("conv3") ? "layer1.0.shortcut" : "layer3.2.conv2.weight is missing");
    }
  }

  @ParameterizedTest
  @CsvSource({"resnet18-w2-7, 62x", "resnet18-w2-7, 9999"})
  void inputSizesThatCannotBe(String model, String size) {
    Path original = folder.resolve("original.safetensors");
    Checkpoint.write(original, network(Topologies.named(model)));
    Safetensors tensors = Safetensors.read(original);
    SafetensorsWriter writer = stateDict();
    writer.metadata("input_size", size);
    for (String name : tensors.names()) {
      writer.put(name, tensors.tensor(name).shape(), tensors.tensor(name).floats());
    }
    Path file = folder.resolve("changed.safetensors");
    writer.write(file);
    refused(file, size);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "layer99999999999.0.conv1.weight",
        "layer1.99999999999.conv1.weight",
        "layer0.0.conv1.weight",
        "features.stage1.unit99999999999.body.conv1.conv.weight",
        "features.stage1.unit0.body.conv1.conv.weight",
        "module.fc.bias"
      })
  void namesThatNoNetworkHas(String other) {
    refused(
        changed(
            "fc.bias",
            (name, shape, values, writer) -> {
              writer.put(name, shape, values);
              writer.put(other, shape, values);
            }),
        "changed.safetensors");
  }

  @Test
  void integersForWeights() {
    refused(
        changed("bn1.weight", (name, shape, _, writer) -> writer.put(name, shape, new int[4])),
        "bn1.weight",
        "I32");
  }

  @Test
  void aClassifierOfOneClass() {
    refused(
        changed(
            "fc.weight", (name, _, _, writer) -> writer.put(name, Shape.of(1, 64), new float[64])),
        "classes");
  }

  @Test
  void aClassifierOfOtherFeatures() {
    refused(
        changed(
            "fc.weight", (name, _, _, writer) -> writer.put(name, Shape.of(10, 1), new float[10])),
        "reads 1 features");
  }

  @Test
  void aNormalizationOfOneChannel() {
    Normalization one = new Normalization(new float[] {.5f}, new float[] {.5f});
    Network network = network(CifarResNet.Shortcut.A);
    assertThatThrownBy(() -> new Network(network.model(), one, network.weights()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("channels");
    Path file = renamed(network, name -> name, true);
    assertThatThrownBy(
            () -> NetworkReader.read(file, Given.of(Optional.empty(), Optional.of(one))).network())
        .isInstanceOf(CorruptFileException.class);
  }

  /** Names that are parsed or compared keep their digits wherever the program runs. */
  @Test
  void digitsDoNotDependOnTheLocale() {
    Locale before = Locale.getDefault();
    try {
      Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
      assertThat(CifarResNet.of(56, 4, 100, CifarResNet.Shortcut.A).name())
          .isEqualTo("cifar-resnet56-w4-a-100");
      NameTable pytorchcv =
          NameTable.of("resnet").stream()
              .filter(table -> table.source().equals("pytorchcv"))
              .findFirst()
              .orElseThrow();
      String name = "features.stage2.unit11.body.conv1.bn.bias";
      assertThat(pytorchcv.renamed(Set.of(name))).containsEntry(name, "layer2.10.bn1.bias");
    } finally {
      Locale.setDefault(before);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 7, 8, 100, 5000})
  void aFileThatEndsEarly(int bytes) throws IOException {
    Path original = folder.resolve("original.safetensors");
    Checkpoint.write(original, network(CifarResNet.Shortcut.B));
    Path file = folder.resolve("short.safetensors");
    Files.write(file, Arrays.copyOf(Files.readAllBytes(original), bytes));
    refused(file, "short.safetensors");
  }
}
