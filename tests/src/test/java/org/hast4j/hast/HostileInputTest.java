package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.failure.Mendable;
import org.hast4j.failure.RefusedException;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.HostileFiles;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.model.Bits;
import org.hast4j.model.HostileJson;
import org.hast4j.model.Model;
import org.hast4j.model.ModelDescription;
import org.hast4j.model.Operator;
import org.hast4j.model.QuantizationPoints;
import org.hast4j.model.Scheme;
import org.hast4j.model.Window;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.quant.Provenance;
import org.hast4j.quant.QuantizedNetwork;
import org.hast4j.quant.Range;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.Shape;
import org.hast4j.zoo.CifarResNet;
import org.hast4j.zoo.Given;
import org.hast4j.zoo.NetworkReader;
import org.hast4j.zoo.QuantizedFile;
import org.hast4j.zoo.Topologies;

/** Law: no file and no recipe, whatever is in it, reads as a defect of the program. */
class HostileInputTest {
  private static final int TRIES = 150;
  private static final Network NETWORK =
      Networks.of(CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B), 3);

  private static Path folder;

  @BeforeContainer
  static void makeTheFolder() throws IOException {
    folder = Files.createTempDirectory("hostile");
  }

  @AfterContainer
  static void removeTheFolder() throws IOException {
    try (Stream<Path> tree = Files.walk(folder)) {
      for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }

  /** Nearly every operator there is. */
  private static Model model() {
    Operator sigmoid =
        new Operator.Activation(new ActivationFunction(ActivationFunction.Kind.SIGMOID));
    Model.Builder net = new Model.Builder(new Model.Input(8, 8, 3));
    String x = net.add("conv", new Operator.Convolution(3, 8, 3, 1, 1), Model.IMAGE);
    x = net.add("bn", new Operator.BatchNorm(8), x);
    x = net.add("relu", new Operator.Activation(ActivationFunction.boundedRelu(6)), x);
    x = net.add("pool", new Operator.Pool(Operator.Pool.Kind.MAX, Window.square(2, 2, 0)), x);
    String deep = net.add("deep", Operator.Convolution.depthwise(8, 3, 1, 1), x);
    String mean = net.add("mean", new Operator.GlobalAveragePool(), deep);
    String gate = net.add("gate", sigmoid, net.add("squeeze", new Operator.Linear(8, 8), mean));
    x = net.add("add", new Operator.Add(), x, net.add("mul", new Operator.Mul(), deep, gate));
    x = net.add("shuffle", new Operator.ChannelShuffle(2), x);
    x = net.add("concat", new Operator.Concat(), x, net.add("part", new Operator.Slice(1, 3), x));
    x = net.add("flat", new Operator.Flatten(), net.add("pad", new Operator.ChannelPad(2, 12), x));
    net.add("fc", new Operator.Linear(48, 5), x);
    return net.build("odd");
  }

  /** Reads a damaged copy, or has it refused by a message that names it. */
  private static void readOrRefused(Path good, long seed, Consumer<Path> read) throws IOException {
    readOrRefused(HostileFiles.damaged(good, new Random(seed)), read);
  }

  private static void readOrRefused(byte[] bytes, Consumer<Path> read) throws IOException {
    Path file = folder.resolve("damaged.safetensors");
    Files.write(file, bytes);
    try {
      read.accept(file);
    } catch (RuntimeException e) {
      assertThat(e).matches(Mendable::is, "something that a user can mend");
      assertThat(e).hasMessageContaining(file.toString());
    }
  }

  /** A network's file without its structure, as other programs write them. */
  private static Path stateDict(Model model) throws IOException {
    Path good = folder.resolve(model.name());
    if (!Files.exists(good)) {
      Checkpoint.write(good, Networks.of(model, 3));
      Map<String, String> metadata =
          Map.of("mean", "[0.5, 0.5, 0.5]", "std", "[1, 1, 1]", "input_size", "32");
      Files.write(good, HostileFiles.withMetadata(good, metadata));
    }
    return good;
  }

  private static Network network(Path file) {
    return NetworkReader.read(file, Given.of(Optional.empty(), Optional.empty())).network();
  }

  @Property(tries = TRIES)
  void aStateDict(@ForAll long seed) throws IOException {
    List<Model> models =
        List.of(
            NETWORK.model(),
            Topologies.named("resnet18-w2-5-32px"),
            Topologies.named("mobilenetv1-w0.05-5-32px"),
            Topologies.named("mobilenetv2-w0.05-5-32px"));
    Path good = stateDict(models.get(Math.floorMod(seed, models.size())));
    assertThat(network(good).model().input().height()).isEqualTo(32);
    readOrRefused(good, seed, HostileInputTest::network);
  }

  private static Path described() {
    Path good = folder.resolve("described.safetensors");
    if (!Files.exists(good)) {
      Checkpoint.write(good, Networks.of(model(), 3));
    }
    return good;
  }

  @Property(tries = TRIES)
  void aNetworkThatSaysItsStructure(@ForAll long seed) throws IOException {
    readOrRefused(described(), seed, HostileInputTest::network);
  }

  /** Alone, beside weights, and among them. */
  @Property(tries = 5 * TRIES)
  void aModel(@ForAll long seed) throws IOException {
    Path weights = described();
    Map<String, String> metadata = new HashMap<>(Safetensors.read(weights).metadata());
    String text = HostileJson.damaged(metadata.get(Checkpoint.MODEL), new Random(seed));
    Path file = folder.resolve("model.json");
    Files.writeString(file, text.replace('\ud800', '?'));
    try {
      ModelDescription description = Checkpoint.description(file);
      assertThat(ModelDescription.parse(description.json(false), "it")).isEqualTo(description);
      NetworkReader.read(weights, Given.of(Optional.of(description), Optional.empty())).network();
    } catch (RuntimeException e) {
      assertThat(e).matches(Mendable::is, "something that a user can mend");
      assertThat(e.getMessage()).containsAnyOf(file.toString(), weights.toString());
    }
    metadata.put(Checkpoint.MODEL, text);
    readOrRefused(HostileFiles.withMetadata(weights, metadata), HostileInputTest::network);
  }

  /** Of each format. */
  private static Path quantized(long seed) throws IOException {
    boolean named = seed % 2 == 0;
    Path good = folder.resolve("quantised" + named);
    if (!Files.exists(good)) {
      Network network = named ? Networks.of(model(), 3) : NETWORK;
      Scheme scheme =
          named
              ? new Scheme(new Bits(3, 4), Map.of("fc", new Bits(8, 8)), QuantizationPoints.INPUTS)
              : new Scheme(new Bits(3, 4));
      Map<String, Range> ranges = new HashMap<>();
      scheme.quantizers(network.model()).forEach(layer -> ranges.put(layer, new Range(-1, 1)));
      QuantizedNetwork.of(network, scheme, ranges, new Provenance("ab", "seed = 1", 1)).write(good);
    }
    return good;
  }

  @Property(tries = 2 * TRIES)
  void aQuantizedNetwork(@ForAll long seed) throws IOException {
    readOrRefused(quantized(seed), seed, QuantizedFile::read);
  }

  /** In the first format a network is a name, and ranges have none. */
  @Property(tries = TRIES)
  void aQuantizedNetworkOfTheFirstFormat(@ForAll long seed) throws IOException {
    Path good = folder.resolve("first.safetensors");
    if (!Files.exists(good)) {
      Path second = quantized(1);
      Map<String, String> metadata = new HashMap<>(Safetensors.read(second).metadata());
      metadata.keySet().removeAll(List.of(Checkpoint.MODEL, "scheme"));
      metadata.putAll(
          Map.of(
              "format", "hast4j-quantised-1",
              "topology", NETWORK.model().name(),
              "weight_bits", "3",
              "activation_bits", "4",
              "mean", "[0.5, 0.5, 0.5]",
              "std", "[1, 1, 1]"));
      Files.write(good, HostileFiles.withMetadata(second, metadata));
      Safetensors renamed = Safetensors.read(good);
      SafetensorsWriter writer = new SafetensorsWriter();
      metadata.forEach(writer::metadata);
      int quantizers = NETWORK.model().names(Operator.Activation.class).size();
      writer.put("activation_ranges", Shape.of(quantizers, 2), new float[2 * quantizers]);
      for (String name : renamed.names()) {
        Safetensors.Tensor tensor = renamed.tensor(name);
        if (name.endsWith(".packed")) {
          writer.putUnsigned(name, tensor.shape(), tensor.bytes());
        } else if (!name.endsWith(".activation_range")) {
          writer.put(name, tensor.shape(), tensor.floats());
        }
      }
      writer.write(good);
    }
    assertThat(QuantizedFile.read(good).scheme()).isEqualTo(new Scheme(new Bits(3, 4)));
    readOrRefused(good, seed, QuantizedFile::read);
  }

  @Property(tries = 3 * TRIES)
  void theTextsOfAQuantizedNetwork(@ForAll long seed) throws IOException {
    Path good = quantized(seed);
    Random random = new Random(seed);
    Map<String, String> metadata = new HashMap<>(Safetensors.read(good).metadata());
    metadata.computeIfPresent(
        random.nextInt(4) == 0 ? "scheme" : Checkpoint.MODEL,
        (_, text) -> HostileJson.damaged(text, random));
    readOrRefused(HostileFiles.withMetadata(good, metadata), QuantizedFile::read);
  }

  /** Wherever a file ends, it is not a shorter network. */
  @Example
  void aQuantizedNetworkCutShort() throws IOException {
    for (int seed = 0; seed < 2; seed++) {
      byte[] whole = Files.readAllBytes(quantized(seed));
      int step = 1 + whole.length / 1000;
      for (int length = 0; length < whole.length; length += step) {
        Path file = folder.resolve("cut.safetensors");
        Files.write(file, Arrays.copyOf(whole, length));
        assertThatThrownBy(() -> QuantizedFile.read(file))
            .isInstanceOf(CorruptFileException.class)
            .hasMessageContaining(file.toString());
      }
    }
  }

  @Property(tries = TRIES)
  void images(@ForAll long seed) throws IOException {
    Path good = folder.resolve("images.safetensors");
    try (OpenDevice device = Platform.CPU.open(1);
        Memory memory = new Memory(device)) {
      DataSet dataSet = DataSet.of(NETWORK.model(), 2);
      if (!Files.exists(good)) {
        SyntheticSet.write(good, memory, dataSet, NETWORK, "ab");
      }
      readOrRefused(good, seed, file -> SyntheticSet.read(List.of(file), NETWORK, memory, dataSet));
    }
  }

  @Property(tries = TRIES)
  void aCheckpoint(@ForAll long seed) throws IOException {
    Path good = folder.resolve("checkpoint.safetensors");
    List<Storage> state =
        List.of(
            Storage.of("pixels", TensorType.f32(8)), Storage.of("iteration", TensorType.i64(1)));
    try (OpenDevice device = Platform.CPU.open(1);
        Memory memory = new Memory(device)) {
      if (!Files.exists(good)) {
        Score score = new Score(Optional.of(new Accuracy(90.25, Optional.empty())), 100.0 / 3);
        new Snapshot(Stage.DONE, 7, Optional.of(score), Optional.of(score))
            .write(good, memory, state, 9);
      }
      readOrRefused(
          good,
          seed,
          file -> {
            assertThat(Snapshot.read(file).done()).isNotNegative();
            Snapshot.restore(file, memory, state);
          });
    }
  }

  @Property(tries = 50)
  void aRecipe(@ForAll long seed) throws IOException {
    Random random = new Random(seed);
    String[] paths =
        ConfigFactory.parseResources(Recipe.class, "/org/hast4j/recipes/reference.conf")
            .entrySet()
            .stream()
            .map(Map.Entry::getKey)
            .sorted()
            .toArray(String[]::new);
    String path = paths[random.nextInt(paths.length)];
    String text = HostileFiles.TEXTS.get(random.nextInt(HostileFiles.TEXTS.size()));
    Path file = folder.resolve("mine.conf");
    String content =
        switch (random.nextInt(4)) {
          case 0 -> path + " = " + text;
          case 1 -> path.replaceAll("\\..*", "") + " { " + text + " }";
          case 2 -> "include \"mine.conf\"\n" + path + " = ${" + path + "}";
          default -> "include required(file(\"" + text + "\"))";
        };
    Files.write(file, content.getBytes(StandardCharsets.UTF_8));
    for (Map<String, String> overrides :
        List.of(Map.<String, String>of(), Map.of(path, text), Map.of(text, "1"))) {
      for (String recipe : List.of("quick", file.toString(), text)) {
        try {
          Recipe.read(recipe, overrides);
        } catch (RefusedException e) {
          assertThat(e.getMessage()).isNotBlank();
        }
      }
    }
  }
}
