package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.tensor.ActivationFunction;

/**
 * EfficientNet of Tan and Le 2019 (arXiv 1905.11946) and 2021 (V2, arXiv 2104.00298): a stem,
 * stages of inverted residuals, a 1x1 convolution, global average pooling and a linear classifier.
 * Units are features.STAGE.UNIT as in torchvision, or units.UNIT where the names do not say the
 * stages; there one begins where the number of channels changes. EfficientNet-Lite has no
 * squeeze-and-excitation, and ReLU6 in place of SiLU.
 */
final class EfficientNets {
  private static final String CLASSIFIER = "classifier.1";
  private static final int[] STRIDES = {2, 1, 2, 2, 2, 1, 2, 1};

  /**
   * A published one.
   *
   * @param channels that its last stage gives
   * @param units of all stages together
   * @param size of its images, pixels
   */
  private record Variant(String name, long channels, int units, int size, String epsilon) {
    static final List<Variant> ALL =
        List.of(
            new Variant("-b0", 320, 16, 224, "1e-5"),
            new Variant("-b1", 320, 23, 240, "1e-5"),
            new Variant("-b2", 352, 23, 288, "1e-5"),
            new Variant("-b3", 384, 26, 300, "1e-5"),
            new Variant("-b4", 448, 32, 380, "1e-5"),
            new Variant("-b5", 512, 39, 456, "1e-3"),
            new Variant("-b6", 576, 45, 528, "1e-3"),
            new Variant("-b7", 640, 55, 600, "1e-3"),
            new Variant("-v2-s", 256, 40, 384, "1e-3"),
            new Variant("-v2-m", 512, 57, 480, "1e-3"),
            new Variant("-v2-l", 640, 79, 480, "1e-3"));
    static final List<Variant> LITE =
        List.of(
            new Variant("-lite0", 320, 16, 224, "1e-5"),
            new Variant("-lite1", 320, 21, 240, "1e-5"),
            new Variant("-lite2", 352, 21, 260, "1e-5"),
            new Variant("-lite3", 384, 24, 280, "1e-5"),
            new Variant("-lite4", 448, 30, 300, "1e-5"));

    static Variant of(boolean lite, long channels, int units) {
      return (lite ? LITE : ALL)
          .stream()
              .filter(variant -> variant.channels == channels && variant.units == units)
              .findFirst()
              .orElse(new Variant(lite ? "-lite" : "", channels, units, 224, "1e-5"));
    }
  }

  private EfficientNets() {}

  static Model model(State state, Assumptions assumed) {
    boolean lite = state.shapes().keySet().stream().noneMatch(name -> name.endsWith("fc1.weight"));
    ActivationFunction function = assumed.activation(lite ? "relu6" : "silu");
    List<List<InvertedResidual>> stages = stages(state, function);
    InvertedResidual last = stages.getLast().getLast();
    int units = stages.stream().mapToInt(List::size).sum();
    Variant variant = Variant.of(lite, last.outputs(state), units);
    Stack net = Stack.of(state, assumed, "features.0.0", variant.size, variant.epsilon);
    if (stages.size() >= STRIDES.length) {
      throw new RefusedException("it has %d stages, up to 7 are known".formatted(stages.size()));
    }
    int[] strides = assumed.strides(Arrays.copyOf(STRIDES, stages.size() + 1));
    String x = ConvBlock.of("features.0").activated(net, strides[0], function, Model.IMAGE);
    for (int stage = 1; stage <= stages.size(); stage++) {
      int stride = strides[stage];
      for (InvertedResidual unit : stages.get(stage - 1)) {
        x = unit.append(net, stride, function, x);
        stride = 1;
      }
    }
    String head = state.hasLayer("head.0") ? "head" : "features." + (stages.size() + 1);
    x = ConvBlock.of(head).activated(net, 1, function, x);
    net.head("avgpool", CLASSIFIER, x);
    return net.build("efficientnet" + variant.name + net.suffix(CLASSIFIER, variant.size));
  }

  private static List<List<InvertedResidual>> stages(State state, ActivationFunction function) {
    if (state.numbers("units.").isEmpty()) {
      List<Integer> numbers = state.consecutive("features.", 1);
      return numbers.subList(0, numbers.size() - 1).stream()
          .map(stage -> units(state, "features." + stage + ".", function).toList())
          .toList();
    }
    List<List<InvertedResidual>> stages = new ArrayList<>();
    units(state, "units.", function)
        .forEach(
            unit -> {
              if (stages.isEmpty()
                  || stages.getLast().getLast().outputs(state) != unit.outputs(state)) {
                stages.add(new ArrayList<>());
              }
              stages.getLast().add(unit);
            });
    return stages;
  }

  private static Stream<InvertedResidual> units(
      State state, String prefix, ActivationFunction function) {
    ActivationFunction gate = new ActivationFunction(ActivationFunction.Kind.SIGMOID);
    return state.consecutive(prefix, 0).stream()
        .map(unit -> InvertedResidual.of(state, prefix + unit, function, gate));
  }
}
