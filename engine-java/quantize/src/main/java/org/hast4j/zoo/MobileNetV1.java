package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.tensor.ActivationFunction;

/**
 * MobileNet of Howard et al. 2017 (arXiv 1704.04861, table 1): a 3x3 stem of stride 2, thirteen
 * depthwise-separable units (a 3x3 depthwise and a 1x1 convolution, BatchNorm and ReLU behind
 * each), global average pooling and a linear classifier. Layers are named as in pytorchcv.
 */
public final class MobileNetV1 {
  private static final String INIT = "features.init_block";
  private static final int STEM = 32;
  private static final List<List<Integer>> STAGES =
      List.of(
          List.of(64),
          List.of(128, 128),
          List.of(256, 256),
          List.of(512, 512, 512, 512, 512, 512),
          List.of(1024, 1024));
  private static final Pattern NAME =
      Pattern.compile("mobilenetv1" + WidthMultiplier.SUFFIX + Topologies.SUFFIX);

  private MobileNetV1() {}

  /**
   * A MobileNetV1.
   *
   * @param width multiplier of all channels, rounded down: a multiple of 0.05 up to 4
   * @param classes 2 to 100000; 1000 in the paper
   * @param size input height and width, 32 to 1024 pixels; 224 in the paper
   * @throws RefusedException if one of them is not
   */
  public static Model of(double width, int classes, int size) {
    return of(WidthMultiplier.of(width), classes, size);
  }

  static Model of(WidthMultiplier width, int classes, int size) {
    Topologies.checkClasses(classes);
    Topologies.checkImageNetSize(size);
    State.Builder state = new State.Builder();
    long channels = width.roundedDown(STEM);
    state.convolution(INIT + ".conv", INIT + ".bn", channels, 3, 3);
    for (int stage = 1; stage <= STAGES.size(); stage++) {
      List<Integer> units = STAGES.get(stage - 1);
      for (int unit = 1; unit <= units.size(); unit++) {
        String name = "features.stage" + stage + ".unit" + unit;
        long outputs = width.roundedDown(units.get(unit - 1));
        state.convolution(name + ".dw_conv.conv", name + ".dw_conv.bn", channels, 1, 3);
        state.convolution(name + ".pw_conv.conv", name + ".pw_conv.bn", outputs, channels, 1);
        channels = outputs;
      }
    }
    return model(state.linear("output", classes, channels), Assumptions.ofSize(size));
  }

  /** The network of a state; how it was named is data, names/mobilenetv1.json. */
  static Model model(State state, Assumptions assumed) {
    Stack net = Stack.of(state, assumed, INIT + ".conv", Topologies.IMAGE_NET_SIZE);
    ActivationFunction function = assumed.activation("relu");
    List<Integer> stages = state.consecutive("features.stage", 1);
    int[] usual = new int[stages.size() + 1];
    Arrays.fill(usual, 2);
    usual[1] = 1;
    int[] strides = assumed.strides(usual);
    String x = block(INIT).activated(net, strides[0], function, Model.IMAGE);
    List<Long> channels = new ArrayList<>(List.of(net.channels(x)));
    for (int stage : stages) {
      for (int unit : state.consecutive("features.stage" + stage + ".unit", 1)) {
        String name = "features.stage" + stage + ".unit" + unit;
        int stride = unit == 1 ? strides[stage] : 1;
        x = block(name + ".dw_conv").activated(net, stride, function, x);
        x = block(name + ".pw_conv").activated(net, 1, function, x);
        channels.add(net.channels(x));
      }
    }
    net.head("features.final_pool", "output", x);
    Optional<WidthMultiplier> width =
        WidthMultiplier.of(
            channels,
            w ->
                WidthMultiplier.each(
                    Stream.concat(Stream.of(STEM), STAGES.stream().flatMap(List::stream)).toList(),
                    w::roundedDown));
    return net.build("mobilenetv1" + WidthMultiplier.suffix(width) + net.suffix("output"));
  }

  private static ConvBlock block(String name) {
    return new ConvBlock(name + ".conv", name + ".bn", name + ".activ");
  }

  /**
   * Parses a name as {@link Model#name} gives it: mobilenetv1, mobilenetv1-w0.5-10-64px. Empty if
   * it is none of these.
   */
  static Optional<Model> named(String name) {
    Matcher matcher = NAME.matcher(name);
    return matcher.matches()
        ? Optional.of(
            of(
                WidthMultiplier.parse(matcher.group(1)),
                Topologies.number(matcher.group(2), Topologies.IMAGE_NET_CLASSES),
                Topologies.number(matcher.group(3), Topologies.IMAGE_NET_SIZE)))
        : Optional.empty();
  }
}
