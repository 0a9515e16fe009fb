package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.hast4j.model.Model;
import org.hast4j.tensor.ActivationFunction;

/**
 * MNASNet-B1 of Tan et al. 2019 (arXiv 1807.11626, figure 7) in torchvision's names: a stem, a
 * depthwise-separable unit, six stages of inverted residuals (layers.8 to layers.13), a 1x1
 * convolution, global average pooling and a linear classifier.
 */
final class MnasNets {
  private static final String CLASSIFIER = "classifier.1";
  private static final int FIRST = 8;
  private static final int STAGES = 6;
  private static final List<Integer> CHANNELS = List.of(32, 16, 24, 40, 80, 96, 192, 320);

  private MnasNets() {}

  static Model model(State state, Assumptions assumed) {
    Stack net = Stack.of(state, assumed, "layers.0", Topologies.IMAGE_NET_SIZE);
    ActivationFunction function = assumed.activation("relu");
    int[] strides = assumed.strides(2, 1, 2, 2, 2, 1, 2, 1);
    String x = block("layers.", 0).activated(net, strides[0], function, Model.IMAGE);
    List<Long> channels = new ArrayList<>(List.of(net.channels(x)));
    x = block("layers.", 3).activated(net, strides[1], function, x);
    x = block("layers.", 6).linear(net, 1, x);
    channels.add(net.channels(x));
    for (int stage = 0; stage < STAGES; stage++) {
      String name = "layers." + (FIRST + stage) + ".";
      for (int unit : state.consecutive(name, 0)) {
        String part = name + unit + ".layers.";
        List<ConvBlock> blocks = List.of(block(part, 0), block(part, 3), block(part, 6));
        x =
            new InvertedResidual(name + unit, blocks, Optional.empty())
                .append(net, unit == 0 ? strides[stage + 2] : 1, function, x);
      }
      channels.add(net.channels(x));
    }
    x = block("layers.", FIRST + STAGES).activated(net, 1, function, x);
    net.head("avgpool", CLASSIFIER, x);
    Optional<WidthMultiplier> width =
        WidthMultiplier.of(channels, w -> WidthMultiplier.each(CHANNELS, w::roundedToEights));
    return net.build("mnasnet" + WidthMultiplier.suffix(width) + net.suffix(CLASSIFIER));
  }

  private static ConvBlock block(String prefix, int first) {
    return new ConvBlock(prefix + first, prefix + (first + 1), prefix + (first + 2));
  }
}
