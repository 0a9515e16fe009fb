package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.LongUnaryOperator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.tensor.ActivationFunction;

/**
 * MobileNetV2 of Sandler et al. 2018 (arXiv 1801.04381, table 2) as torchvision builds and names
 * it: a 3x3 stem of stride 2, seventeen inverted residuals (1x1 expansion, 3x3 depthwise and 1x1
 * projection, BatchNorm behind each and ReLU6 behind all but the projection, added to the input
 * where the shapes agree), a 1x1 convolution, global average pooling and a linear classifier.
 */
public final class MobileNetV2 {
  private static final int STEM = 32;
  private static final int FEATURES = 1280;
  private static final int EXPANSION = 6;
  private static final List<Integer> STAGES = List.of(16, 24, 32, 64, 96, 160, 320);
  private static final List<Integer> BLOCKS = List.of(1, 2, 3, 4, 3, 3, 1);
  private static final String CLASSIFIER = "classifier.1";
  private static final Pattern NAME =
      Pattern.compile("mobilenetv2(-expanded)?" + WidthMultiplier.SUFFIX + Topologies.SUFFIX);

  private MobileNetV2() {}

  /** How the first inverted residual, of expansion 1, begins. */
  public enum FirstBlock {
    /** With the depthwise convolution, as in the paper. */
    PLAIN,
    /**
     * With a 1x1 convolution from 32 to 32 channels before it, as in pytorchcv's mobilenetv2_w1.
     */
    EXPANDED
  }

  /**
   * A MobileNetV2.
   *
   * @param width multiplier of all channels, rounded to multiples of 8: a multiple of 0.05 up to 4
   * @param classes 2 to 100000; 1000 in the paper
   * @param size input height and width, 32 to 1024 pixels; 224 in the paper
   * @throws RefusedException if one of them is not
   */
  public static Model of(double width, int classes, int size, FirstBlock first) {
    return of(WidthMultiplier.of(width), classes, size, first);
  }

  static Model of(WidthMultiplier width, int classes, int size, FirstBlock first) {
    Topologies.checkClasses(classes);
    Topologies.checkImageNetSize(size);
    State.Builder state = new State.Builder();
    List<Long> widths = widths(width::roundedToEights);
    long channels = widths.getFirst();
    state.convolution("features.0.0", "features.0.1", channels, 3, 3);
    int index = 1;
    for (int stage = 0; stage < STAGES.size(); stage++) {
      long outputs = widths.get(stage + 1);
      for (int block = 0; block < BLOCKS.get(stage); block++) {
        String part = "features." + index++ + ".conv.";
        long hidden = channels * (stage == 0 ? 1 : EXPANSION);
        int convolution = 0;
        if (stage > 0 || first == FirstBlock.EXPANDED) {
          state.convolution(part + "0.0", part + "0.1", hidden, channels, 1);
          convolution = 1;
        }
        state.convolution(part + convolution + ".0", part + convolution + ".1", hidden, 1, 3);
        state.convolution(part + (convolution + 1), part + (convolution + 2), outputs, hidden, 1);
        channels = outputs;
      }
    }
    long features = widths.getLast();
    state.convolution(
        "features." + index + ".0", "features." + index + ".1", features, channels, 1);
    return model(state.linear(CLASSIFIER, classes, features), Assumptions.ofSize(size));
  }

  /** Channels of the stem, of each stage and of the last convolution. */
  private static List<Long> widths(LongUnaryOperator rounded) {
    List<Long> widths = new ArrayList<>(List.of(rounded.applyAsLong(STEM)));
    widths.addAll(WidthMultiplier.each(STAGES, rounded));
    widths.add(Math.max(FEATURES, rounded.applyAsLong(FEATURES)));
    return widths;
  }

  /** The network of a state; how it was named is data, names/mobilenetv2.json. */
  static Model model(State state, Assumptions assumed) {
    Stack net = Stack.of(state, assumed, "features.0.0", Topologies.IMAGE_NET_SIZE);
    ActivationFunction function = assumed.activation("relu6");
    int[] strides = assumed.strides(2, 1, 2, 2, 2, 1, 2, 1);
    String x = ConvBlock.of("features.0").activated(net, strides[0], function, Model.IMAGE);
    List<Long> channels = new ArrayList<>(List.of(net.channels(x)));
    List<Integer> numbers = state.consecutive("features.", 1);
    List<InvertedResidual> blocks =
        numbers.subList(0, numbers.size() - 1).stream()
            .map(number -> block(state, "features." + number))
            .toList();
    int next = 0;
    for (int count : InvertedResidual.stages(state, blocks, BLOCKS)) {
      for (int i = 0; i < count; i++) {
        int stride = i == 0 ? strides[channels.size()] : 1;
        x = blocks.get(next++).append(net, stride, function, x);
      }
      channels.add(net.channels(x));
    }
    x = ConvBlock.of("features." + numbers.getLast()).activated(net, 1, function, x);
    channels.add(net.channels(x));
    net.head("avgpool", CLASSIFIER, x);
    // pytorchcv rounds down.
    Optional<WidthMultiplier> width =
        WidthMultiplier.of(channels, w -> widths(w::roundedToEights))
            .or(() -> WidthMultiplier.of(channels, w -> widths(w::roundedDown)))
            .filter(_ -> blocks.size() == BLOCKS.stream().mapToInt(Integer::intValue).sum());
    return net.build(
        "mobilenetv2"
            + (blocks.getFirst().blocks().size() == 3 ? "-expanded" : "")
            + WidthMultiplier.suffix(width)
            + net.suffix(CLASSIFIER));
  }

  private static InvertedResidual block(State state, String name) {
    String part = name + ".conv.";
    List<ConvBlock> blocks = new ArrayList<>();
    int last = 0;
    while (state.hasLayer(part + last + ".0") || state.hasLayer(part + last + ".1")) {
      blocks.add(ConvBlock.of(part + last++));
    }
    blocks.add(new ConvBlock(part + last, part + (last + 1), ""));
    return new InvertedResidual(name, blocks, Optional.empty());
  }

  /**
   * Parses a name as {@link Model#name} gives it: mobilenetv2, mobilenetv2-expanded,
   * mobilenetv2-w0.5-10-64px. Empty if it is none of these.
   */
  static Optional<Model> named(String name) {
    Matcher matcher = NAME.matcher(name);
    return matcher.matches()
        ? Optional.of(
            of(
                WidthMultiplier.parse(matcher.group(2)),
                Topologies.number(matcher.group(3), Topologies.IMAGE_NET_CLASSES),
                Topologies.number(matcher.group(4), Topologies.IMAGE_NET_SIZE),
                matcher.group(1) == null ? FirstBlock.PLAIN : FirstBlock.EXPANDED))
        : Optional.empty();
  }
}
