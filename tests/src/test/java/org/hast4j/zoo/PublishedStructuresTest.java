package org.hast4j.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.GZIPInputStream;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.hast.Evaluation;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Json;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.io.StoredTensor;
import org.hast4j.model.Normalization;
import org.hast4j.model.Resize;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Structures found from the names and shapes of torchvision's and timm's networks, against what
 * these compute: resources of tests/vectors/torchvision_vectors.py.
 */
class PublishedStructuresTest {
  private static final List<String> LIBRARIES = List.of("repositories", "torchvision", "timm");

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  @TempDir Path folder;

  /** What a library says of a network. */
  private record Published(String name, Map<?, ?> json) {
    static Published of(String name) {
      String resource = "/org/hast4j/zoo/" + name + ".json.gz";
      try (GZIPInputStream in =
          new GZIPInputStream(PublishedStructuresTest.class.getResourceAsStream(resource))) {
        String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        return new Published(name, (Map<?, ?>) Json.parse(text));
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    }

    int size() {
      return ((Number) json.get("size")).intValue();
    }

    /** The size, and what else the names do not say. */
    Map<String, String> settings() {
      Map<String, String> settings = new TreeMap<>(Map.of("size", Integer.toString(size())));
      if (json.get("settings") instanceof Map<?, ?> more) {
        more.forEach((word, text) -> settings.put((String) word, (String) text));
      }
      return settings;
    }

    long parameters() {
      return ((Number) json.get("parameters")).longValue();
    }

    Map<String, StoredTensor> tensors() {
      Map<String, StoredTensor> tensors = new LinkedHashMap<>();
      ((Map<?, ?>) json.get("tensors"))
          .forEach(
              (name, sizes) ->
                  tensors.put(
                      (String) name,
                      new Formula(
                          (String) name,
                          Shape.of(
                              ((List<?>) sizes)
                                  .stream().mapToLong(n -> ((Number) n).longValue()).toArray()))));
      return tensors;
    }

    List<Double> logits() {
      List<?> logits = json.get("logits") instanceof List<?> list ? list : List.of();
      return logits.stream().map(n -> ((Number) n).doubleValue()).toList();
    }

    @Override
    public String toString() {
      return name;
    }
  }

  /** As values() of the script. */
  private record Formula(String name, Shape shape) implements StoredTensor {
    @Override
    public DType dtype() {
      return DType.F32;
    }

    @Override
    public float[] floats() {
      int count = Math.toIntExact(shape.elements());
      double[] u = uniform(name, count);
      double center = 0;
      double factor = .2;
      if (shape.rank() > 1) {
        factor = Math.sqrt(6.0 / (count / shape.size(0)));
      } else if (name.endsWith(".weight") || name.endsWith(".running_var")) {
        center = 1;
        factor = .5;
      }
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = (float) (center + u[i] * factor);
      }
      return values;
    }
  }

  private static double[] uniform(String name, int count) {
    CRC32 crc = new CRC32();
    crc.update(name.getBytes(StandardCharsets.UTF_8));
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      long x = (crc.getValue() << 32) + i;
      x = (x ^ (x >>> 30)) * 0xBF58476D1CE4E5B9L;
      x = (x ^ (x >>> 27)) * 0x94D049BB133111EBL;
      x ^= x >>> 31;
      values[i] = (double) (x >>> 40) / (1 << 23) - 1;
    }
    return values;
  }

  static List<Published> networks() throws IOException, URISyntaxException {
    List<Published> all = new ArrayList<>();
    for (String library : LIBRARIES) {
      URL resources = PublishedStructuresTest.class.getResource("/org/hast4j/zoo/" + library);
      try (Stream<Path> files = Files.list(Path.of(resources.toURI()))) {
        files
            .map(file -> library + "/" + file.getFileName().toString().replace(".json.gz", ""))
            .sorted()
            .forEach(name -> all.add(Published.of(name)));
      }
    }
    return all;
  }

  static Stream<Published> networksWithLogits() throws IOException, URISyntaxException {
    return networks().stream().filter(network -> !network.logits().isEmpty());
  }

  private static StateDict structure(Published published) {
    return StateDict.of(published.tensors(), published.settings());
  }

  @ParameterizedTest
  @MethodSource("networks")
  void everyTensorHasItsPlace(Published published) {
    StateDict state = structure(published);
    Map<String, Shape> needed = new TreeMap<>(state.model().parameters());
    needed.putAll(state.model().statistics());
    assertThat(state.tensors().keySet()).isEqualTo(needed.keySet());
    assertThat(state.outside()).isEmpty();
    assertThat(state.model().parameters().values().stream().mapToLong(Shape::elements).sum())
        .isEqualTo(published.parameters());
  }

  @ParameterizedTest
  @MethodSource("networksWithLogits")
  void logitsAreThoseOfTheLibrary(Published published) {
    StateDict state = structure(published);
    Network network =
        Checkpoint.network(
            Path.of(published.name()), state.tensors(), state.model(), Normalization.IMAGENET);
    int size = published.size();
    double[] image = uniform("image", 2 * 3 * size * size);
    float[] pixels = new float[image.length];
    for (int n = 0; n < 2; n++) {
      for (int c = 0; c < 3; c++) {
        for (int i = 0; i < size * size; i++) {
          pixels[(n * size * size + i) * 3 + c] = (float) image[(n * 3 + c) * size * size + i];
        }
      }
    }
    float[] actual;
    try (Evaluation evaluation = Evaluation.of(DEVICES.open(2), network, 2)) {
      actual = evaluation.logits(pixels, 2);
    }
    List<Double> expected = published.logits();
    assertThat(actual).hasSize(expected.size());
    double largest = expected.stream().mapToDouble(Math::abs).max().orElseThrow();
    for (int i = 0; i < actual.length; i++) {
      assertThat(Math.abs(actual[i] - expected.get(i)) <= 1e-4 * largest)
          .as("logit %d is %s, expected %s of up to %s", i, actual[i], expected.get(i), largest)
          .isTrue();
    }
  }

  private Path file(Published published, String lacks, UnaryOperator<String> names) {
    SafetensorsWriter writer = new SafetensorsWriter();
    published
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (!name.equals(lacks)) {
                writer.put(names.apply(name), tensor.shape(), tensor.floats());
              }
            });
    writer.put(names.apply("counter.num_batches_tracked"), Shape.of(1), new long[] {1});
    if (lacks.isEmpty()) {
      writer.put("teacher.extra", Shape.of(1), new float[1]);
    }
    Path file = folder.resolve("network.safetensors");
    writer.write(file);
    return file;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "repositories/minifasnet_hairymax",
        "timm/resnetv2_50",
        "torchvision/densenet121",
        "torchvision/efficientnet_b0",
        "torchvision/googlenet",
        "torchvision/mnasnet0_5",
        "torchvision/mobilenet_v2",
        "torchvision/mobilenet_v3_small",
        "torchvision/regnet_x_400mf",
        "torchvision/resnet18",
        "torchvision/shufflenet_v2_x0_5",
        "torchvision/vgg11_bn_narrow"
      })
  void filesMayHaveAPrefixAndMoreTensorsButNoFewer(String name) {
    Published published = Published.of(name);
    Path file = file(published, "", tensor -> "module." + tensor);
    Map<String, String> size = published.settings();
    Optional<Normalization> normalization = Optional.of(Normalization.IMAGENET);
    assertThatThrownBy(
            () ->
                NetworkReader.read(
                    file, new Given(Optional.empty(), normalization, Resize.USUAL, size, false)))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("teacher.extra");
    NetworkReader.Read read =
        NetworkReader.read(
            file, new Given(Optional.empty(), normalization, Resize.USUAL, size, true));
    assertThat(read.network().parameterCount()).isEqualTo(published.parameters());
    assertThat(read.assumptions()).anyMatch(line -> line.contains("teacher.extra"));

    List<String> variances =
        published.tensors().keySet().stream().filter(key -> key.endsWith("running_var")).toList();
    String missing = variances.get(variances.size() / 2);
    Path incomplete = file(published, missing, UnaryOperator.identity());
    assertThatThrownBy(
            () ->
                NetworkReader.read(
                    incomplete,
                    new Given(Optional.empty(), normalization, Resize.USUAL, size, false)))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining(missing);
  }
}
