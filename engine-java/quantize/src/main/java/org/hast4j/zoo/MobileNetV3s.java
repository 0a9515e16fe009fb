package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.tensor.ActivationFunction;

/**
 * MobileNetV3 of Howard et al. 2019 (arXiv 1905.02244, tables 1 and 2) in torchvision's names: a
 * stem, 15 (large) or 11 (small) inverted residuals, some with squeeze-and-excitation, a 1x1
 * convolution, global average pooling and two linear layers. The first units have ReLU, all others
 * hard swish.
 */
final class MobileNetV3s {
  private static final String CLASSIFIER = "classifier.3";

  /** One of the two: what its tensors do not say, and its usual channels. */
  private record Variant(
      String name, List<Integer> units, int[] strides, int plain, List<Integer> channels) {
    private static final Variant LARGE =
        new Variant(
            "large",
            List.of(1, 2, 3, 4, 2, 3),
            new int[] {2, 1, 2, 2, 2, 1, 2},
            6,
            List.of(16, 16, 24, 40, 80, 112, 160));
    private static final Variant SMALL =
        new Variant(
            "small",
            List.of(1, 2, 3, 2, 3),
            new int[] {2, 2, 2, 2, 1, 2},
            3,
            List.of(16, 16, 24, 40, 48, 96));

    static Variant of(int units) {
      return switch (units) {
        case 15 -> LARGE;
        case 11 -> SMALL;
        default ->
            throw new RefusedException(
                "it has %d units; the large one has 15, the small one 11".formatted(units));
      };
    }
  }

  private MobileNetV3s() {}

  static Model model(State state, Assumptions assumed) {
    Stack net = Stack.of(state, assumed, "features.0.0", Topologies.IMAGE_NET_SIZE);
    List<Integer> numbers = state.consecutive("features.", 1);
    Variant variant = Variant.of(numbers.size() - 1);
    ActivationFunction function = assumed.activation("hard_swish");
    int[] strides = assumed.strides(variant.strides);
    String x = ConvBlock.of("features.0").activated(net, strides[0], function, Model.IMAGE);
    List<Long> channels = new ArrayList<>(List.of(net.channels(x)));
    int number = 1;
    for (int count : variant.units) {
      for (int i = 0; i < count; i++) {
        int stride = i == 0 ? strides[channels.size()] : 1;
        InvertedResidual unit =
            InvertedResidual.of(
                state,
                "features." + number,
                ActivationFunction.relu(),
                new ActivationFunction(ActivationFunction.Kind.HARD_SIGMOID));
        boolean plain = number++ <= variant.plain;
        x = unit.append(net, stride, plain ? ActivationFunction.relu() : function, x);
      }
      channels.add(net.channels(x));
    }
    assumed.say("ReLU in its first %d units, as published".formatted(variant.plain));
    x = ConvBlock.of("features." + number).activated(net, 1, function, x);
    x = net.linear("classifier.0", net.globalPool("avgpool", x));
    net.linear(CLASSIFIER, net.activation("classifier.1", function, x));
    Optional<WidthMultiplier> width =
        WidthMultiplier.of(
            channels, w -> WidthMultiplier.each(variant.channels, w::roundedToEights));
    return net.build(
        "mobilenetv3-" + variant.name + WidthMultiplier.suffix(width) + net.suffix(CLASSIFIER));
  }
}
