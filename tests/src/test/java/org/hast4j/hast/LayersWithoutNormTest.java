package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.model.Operator.Pool.Kind;
import org.hast4j.model.Scheme;
import org.hast4j.model.Window;
import org.hast4j.model.Window.Size;
import org.hast4j.nn.Network;
import org.hast4j.tensor.ActivationFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Layers that no BatchNorm is in front of, against values worked by hand. */
class LayersWithoutNormTest {
  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  /** Channels swapped, times their means, through a LeakyReLU and a PReLU, in PyTorch's order. */
  @Test
  void computesWhatTheModelSays() {
    Model.Builder net = new Model.Builder(new Model.Input(2, 2, 2));
    String first = net.add("first", new Operator.Slice(0, 1), Model.IMAGE);
    String second = net.add("second", new Operator.Slice(1, 2), Model.IMAGE);
    String swapped = net.add("swapped", new Operator.Concat(), second, first);
    String mean = net.add("mean", new Operator.GlobalAveragePool(), swapped);
    String product = net.add("product", new Operator.Mul(), swapped, mean);
    String leaky =
        net.add("leaky", new Operator.Activation(ActivationFunction.leakyRelu(.5f)), product);
    String prelu = net.add("prelu", new Operator.PRelu(2), leaky);
    String flat = net.add("flat", new Operator.Flatten(), prelu);
    net.add("fc", new Operator.Linear(8, 8, false), flat);
    Network network =
        network(net, Map.of("fc.weight", identity(), "prelu.weight", new float[] {.25f, 3}));
    assertThat(new Scheme(new Bits(4, 4)).quantizers(network.model()))
        .containsExactly(leaky, prelu);
    // [h, w, c]: channel 0 has 1, 2, 3, 4 with the mean 2.5; channel 1 has -8, 4, 0, 8 with 1.
    assertThat(logits(network, 1, -8, 2, 4, 3, 0, 4, 8))
        .containsExactly(new float[] {-1, 4, 0, 8, 2.5f, 5, 7.5f, 10}, within(1e-5f));
  }

  /** A channel that is kept and one that becomes a bias, in windows different at every side. */
  @Test
  void windowsAreNotSquare() {
    Model.Builder net = new Model.Builder(new Model.Input(2, 3, 2));
    Window pixel = Window.square(1, 1, 0);
    String shifted =
        net.add("shifted", new Operator.Convolution(2, 2, pixel, 2, true), Model.IMAGE);
    String max = pool(net, "max", Kind.MAX, size(1, 2), size(1, 2), 0, 0, 0, 1, shifted);
    String mean = pool(net, "mean", Kind.AVERAGE, size(2, 1), size(2, 1), 1, 0, 1, 0, max);
    String last =
        pool(net, "last", Kind.AVERAGE_UNPADDED, size(1, 2), size(1, 1), 0, 1, 0, 0, mean);
    net.add("fc", new Operator.Linear(8, 8, false), net.add("flat", new Operator.Flatten(), last));
    Network network =
        network(
            net,
            Map.of(
                "fc.weight", identity(),
                "shifted.weight", new float[] {1, 0},
                "shifted.bias", new float[] {0, 8}));
    // Channel 0 has 1, 2, 3 above 4, 5, 6; then 2, 3 above 5, 6; then 1, 1.5 above 2.5, 3.
    assertThat(logits(network, 1, 9, 2, 9, 3, 9, 4, 9, 5, 9, 6, 9))
        .containsExactly(new float[] {1, 1.25f, 2.5f, 2.75f, 4, 4, 4, 4}, within(1e-6f));
  }

  private static String pool(
      Model.Builder net,
      String name,
      Kind kind,
      Size kernel,
      Size strides,
      int top,
      int left,
      int bottom,
      int right,
      String input) {
    Window.Padding padding = new Window.Padding(top, left, bottom, right);
    Window window = new Window(kernel, strides, padding, size(1, 1));
    return net.add(name, new Operator.Pool(kind, window), input);
  }

  private static Size size(int height, int width) {
    return new Size(height, width);
  }

  private static float[] identity() {
    float[] identity = new float[64];
    for (int i = 0; i < 8; i++) {
      identity[9 * i] = 1;
    }
    return identity;
  }

  private static Network network(Model.Builder net, Map<String, float[]> weights) {
    return new Network(
        net.build("net"), new Normalization(new float[2], new float[] {1, 1}), weights);
  }

  private static float[] logits(Network network, float... image) {
    float[] logits = new float[8];
    try (Memory memory = new Memory(DEVICES.open());
        Evaluation evaluation = Evaluation.of(memory, network, 1)) {
      evaluation.run(image, logits);
    }
    return logits;
  }
}
