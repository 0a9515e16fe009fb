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
import org.hast4j.model.Scheme;
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
    float[] identity = new float[64];
    for (int i = 0; i < 8; i++) {
      identity[9 * i] = 1;
    }
    Network network =
        new Network(
            net.build("net"),
            new Normalization(new float[2], new float[] {1, 1}),
            Map.of("fc.weight", identity, "prelu.weight", new float[] {.25f, 3}));
    assertThat(new Scheme(new Bits(4, 4)).quantizers(network.model()))
        .containsExactly(leaky, prelu);
    // [h, w, c]: channel 0 has 1, 2, 3, 4 with the mean 2.5; channel 1 has -8, 4, 0, 8 with 1.
    float[] image = {1, -8, 2, 4, 3, 0, 4, 8};
    float[] logits = new float[8];
    try (Memory memory = new Memory(DEVICES.open());
        Evaluation evaluation = Evaluation.of(memory, network, 1)) {
      evaluation.run(image, logits);
    }
    assertThat(logits).containsExactly(new float[] {-1, 4, 0, 8, 2.5f, 5, 7.5f, 10}, within(1e-5f));
  }
}
