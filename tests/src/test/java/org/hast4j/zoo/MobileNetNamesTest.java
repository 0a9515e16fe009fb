package org.hast4j.zoo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.Json;
import org.hast4j.io.StoredTensor;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.model.Window;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.Shape;
import org.junit.jupiter.api.Test;

/** MobileNets and EfficientNets in names of repositories that are no library. */
class MobileNetNamesTest {
  private static final Path KERAS =
      Path.of("../../shared/networks/imagenet_mobilenetv1_075_224_keras.safetensors");

  private static Map<String, Shape> published(String name) throws IOException {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    try (GZIPInputStream in =
        new GZIPInputStream(
            MobileNetNamesTest.class.getResourceAsStream("/org/hast4j/zoo/" + name + ".json.gz"))) {
      Map<?, ?> json =
          (Map<?, ?>) Json.parse(new String(in.readAllBytes(), StandardCharsets.UTF_8));
      ((Map<?, ?>) json.get("tensors"))
          .forEach(
              (tensor, sizes) ->
                  shapes.put(
                      (String) tensor,
                      Shape.of(
                          ((List<?>) sizes)
                              .stream().mapToLong(n -> ((Number) n).longValue()).toArray())));
    }
    return shapes;
  }

  private static StateDict read(Map<String, Shape> shapes, Map<String, String> settings) {
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    shapes.forEach((name, shape) -> tensors.put(name, new Constant(name, shape, 1)));
    return StateDict.of(tensors, settings);
  }

  private static long parameters(Model model) {
    return model.parameters().values().stream().mapToLong(Shape::elements).sum();
  }

  private static void put(Map<String, Shape> shapes, String name, String norm, long... sizes) {
    shapes.put(name + ".weight", Shape.of(sizes));
    for (String part : List.of("weight", "bias", "running_mean", "running_var")) {
      shapes.put(norm + "." + part, Shape.of(sizes[0]));
    }
  }

  /**
   * lukemelas/EfficientNet-PyTorch numbers its units through and pads as TensorFlow does, as timm's
   * tf_efficientnet_b0 does, which has the same units.
   */
  @Test
  void efficientNetsWithoutStages() throws IOException {
    Map<String, Shape> timm = published("timm/tf_efficientnet_b0");
    Map<String, Shape> flat = new LinkedHashMap<>();
    int[] first = {0, 1, 3, 5, 8, 11, 15};
    Pattern unit = Pattern.compile("blocks\\.(\\d)\\.(\\d)\\.(.*)");
    timm.forEach(
        (name, shape) -> {
          Matcher matcher = unit.matcher(name);
          if (matcher.matches()) {
            boolean plain = matcher.group(1).equals("0");
            int number = first[matcher.group(1).charAt(0) - '0'] + matcher.group(2).charAt(0) - '0';
            String part =
                matcher
                    .group(3)
                    .replaceFirst("^conv_pw\\.", plain ? "_project_conv." : "_expand_conv.")
                    .replaceFirst("^conv_pwl\\.", "_project_conv.")
                    .replaceFirst("^conv_dw\\.", "_depthwise_conv.")
                    .replaceFirst("^se\\.conv_", "_se_")
                    .replaceFirst("^bn1\\.", plain ? "_bn1." : "_bn0.")
                    .replaceFirst("^bn2\\.", plain ? "_bn2." : "_bn1.")
                    .replaceFirst("^bn3\\.", "_bn2.");
            flat.put("_blocks." + number + "." + part, shape);
          } else {
            String other =
                name.replaceFirst("^bn1\\.", "_bn0.")
                    .replaceFirst("^bn2\\.", "_bn1.")
                    .replaceFirst("^classifier\\.", "_fc.")
                    .replaceFirst("^conv_", "_conv_");
            flat.put(other, shape);
          }
        });
    Model expected = read(timm, Map.of("padding", "same", "epsilon", "1e-3")).model();
    StateDict actual = read(flat, Map.of());
    assertThat(actual.model().name()).isEqualTo("efficientnet-b0");
    assertThat(actual.model().layers())
        .extracting(Layer::op)
        .isEqualTo(expected.layers().stream().map(Layer::op).toList());
    assertThat(actual.assumptions()).anyMatch(line -> line.contains("padding=same"));
  }

  /** Parameters as the repository's network counts them. */
  @Test
  void kuangliusMobileNet() {
    long[] outputs = {64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024};
    Map<String, Shape> shapes = new LinkedHashMap<>();
    put(shapes, "conv1", "bn1", 32, 3, 3, 3);
    long inputs = 32;
    for (int i = 0; i < outputs.length; i++) {
      String layer = "layers." + i + ".";
      put(shapes, layer + "conv1", layer + "bn1", inputs, 1, 3, 3);
      put(shapes, layer + "conv2", layer + "bn2", outputs[i], inputs, 1, 1);
      inputs = outputs[i];
    }
    shapes.put("linear.weight", Shape.of(10, 1024));
    shapes.put("linear.bias", Shape.of(10));
    Model model = read(shapes, Map.of()).model();
    assertThat(model.name()).isEqualTo("mobilenetv1-10-32px");
    assertThat(parameters(model)).isEqualTo(3_217_226);
    assertThat(model.shape("features.stage1.unit1.pw_conv.activ")).isEqualTo(Shape.of(32, 32, 64));
    assertThat(model.shape("features.stage5.unit2.pw_conv.activ")).isEqualTo(Shape.of(2, 2, 1024));
  }

  /** Units of stride 1 that change the channels have a convolution beside them. */
  private static Map<String, Shape> kuangliusMobileNetV2() {
    int[][] stages = {
      {1, 16, 1, 1},
      {6, 24, 2, 1},
      {6, 32, 3, 2},
      {6, 64, 4, 2},
      {6, 96, 3, 1},
      {6, 160, 3, 2},
      {6, 320, 1, 1}
    };
    Map<String, Shape> shapes = new LinkedHashMap<>();
    put(shapes, "conv1", "bn1", 32, 3, 3, 3);
    long inputs = 32;
    int number = 0;
    for (int[] stage : stages) {
      for (int i = 0; i < stage[2]; i++) {
        String layer = "layers." + number++ + ".";
        long hidden = inputs * stage[0];
        put(shapes, layer + "conv1", layer + "bn1", hidden, inputs, 1, 1);
        put(shapes, layer + "conv2", layer + "bn2", hidden, 1, 3, 3);
        put(shapes, layer + "conv3", layer + "bn3", stage[1], hidden, 1, 1);
        if (i == 0 && stage[3] == 1) {
          put(shapes, layer + "shortcut.0", layer + "shortcut.1", stage[1], inputs, 1, 1);
        }
        inputs = stage[1];
      }
    }
    put(shapes, "conv2", "bn2", 1280, 320, 1, 1);
    shapes.put("linear.weight", Shape.of(10, 1280));
    shapes.put("linear.bias", Shape.of(10));
    return shapes;
  }

  @Test
  void kuangliusMobileNetV2IsRead() {
    StateDict state = read(kuangliusMobileNetV2(), Map.of());
    Model model = state.model();
    assertThat(model.name()).isEqualTo("mobilenetv2-expanded-10-32px");
    assertThat(parameters(model)).isEqualTo(2_296_922);
    assertThat(model.names(Operator.Add.class)).hasSize(14);
    assertThat(model.shape("features.3.add")).isEqualTo(Shape.of(32, 32, 24));
    assertThat(model.shape("features.18.2")).isEqualTo(Shape.of(4, 4, 1280));
    assertThat(model.op("features.18.2"))
        .contains(new Operator.Activation(ActivationFunction.relu()));
    assertThat(state.normalization()).isPresent();
  }

  @Test
  void stridesCanBeGiven() {
    Map<String, String> strides = Map.of("strides", "2-1-2-2-2-1-2-1", "size", "64");
    Map<String, Shape> shapes = kuangliusMobileNetV2();
    // Their shortcut has no stride.
    shapes.keySet().removeIf(name -> name.startsWith("layers.1.shortcut"));
    Model model = read(shapes, strides).model();
    assertThat(model.shape("features.18.2")).isEqualTo(Shape.of(2, 2, 1280));
    assertThatThrownBy(() -> read(shapes, Map.of("strides", "2-1")))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("strides cannot be '2-1'");
  }

  /** Without a whole unit, and with channels that are nobody's. */
  @Test
  void unitsFollowOneAnother() {
    Map<String, Shape> shapes = kuangliusMobileNetV2();
    shapes.keySet().removeIf(name -> name.startsWith("layers.1.conv3"));
    assertThatThrownBy(() -> read(shapes, Map.of()))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("features.2.conv.");
    Map<String, Shape> pruned = kuangliusMobileNetV2();
    put(pruned, "layers.5.conv1", "layers.5.bn1", 170, 32, 1, 1);
    put(pruned, "layers.5.conv2", "layers.5.bn2", 170, 1, 3, 3);
    put(pruned, "layers.5.conv3", "layers.5.bn3", 32, 170, 1, 1);
    put(pruned, "conv2", "bn2", 1000, 320, 1, 1);
    pruned.put("linear.weight", Shape.of(10, 1000));
    Model model = read(pruned, Map.of()).model();
    assertThat(model.name()).isEqualTo("mobilenetv2-expanded-irregular-10-32px");
    assertThat(model.shape("features.6.conv.0.2")).isEqualTo(Shape.of(16, 16, 170));
  }

  @Test
  void kerasMobileNet() {
    assumeTrue(Files.isRegularFile(KERAS), () -> "skipped: no " + KERAS);
    NetworkReader.Read read = NetworkReader.read(KERAS, Given.NOTHING);
    Model model = read.network().model();
    assertThat(model.name()).isEqualTo("mobilenetv1-w0.75");
    assertThat(read.network().parameterCount()).isEqualTo(2_585_560);
    assertThat(read.network().normalization().mean()).containsOnly(.5f);
    assertThat(model.op("features.stage2.unit1.dw_conv.conv"))
        .hasValueSatisfying(
            op ->
                assertThat(((Operator.Convolution) op).window().padding())
                    .isEqualTo(new Window.Padding(0, 0, 1, 1)));
    assertThat(model.op("features.init_block.bn")).contains(new Operator.BatchNorm(24, 1e-3f));
    assertThat(model.op("features.init_block.activ"))
        .contains(new Operator.Activation(ActivationFunction.boundedRelu(6)));
  }
}
