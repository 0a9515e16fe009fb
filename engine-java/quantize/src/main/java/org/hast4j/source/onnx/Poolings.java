package org.hast4j.source.onnx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Operator;
import org.hast4j.model.Window;

/** Largest values and means. */
final class Poolings {
  private final Steps steps;
  private final Features features;

  Poolings(Steps steps, Features features) {
    this.steps = steps;
    this.features = features;
  }

  void register(Map<String, Translation> table) {
    table.put("MaxPool", Translation.of(this::maxPool));
    table.put("AveragePool", Translation.of(this::averagePool));
    table.put("GlobalAveragePool", Translation.of(this::globalAveragePool));
    table.put("GlobalMaxPool", Translation.of(this::globalMaxPool));
    table.put("ReduceMean", Translation.of(this::reduceMean));
  }

  private static Window.Size kernel(Node node) {
    long[] kernel =
        node.wholes("kernel_shape").orElseThrow(() -> new RefusedException("has no kernel_shape"));
    if (kernel.length != 2) {
      throw new RefusedException(
          "pools over %d dimensions; known are images, of 2".formatted(kernel.length));
    }
    return Windows.size(kernel[0], kernel[1]);
  }

  private Operand.Feature source(Operand.Dynamic value) {
    return features.of(value instanceof Operand.Padded padded ? padded.source() : value);
  }

  private Operand maxPool(Node node) {
    Operand.Dynamic value = node.dynamic(0);
    Operand.Feature input = source(value);
    Windows windows = new Windows(node, kernel(node), value.sizes());
    Optional<Operand.Padded> padded = Windows.padded(value);
    if (padded.isPresent()
        && padded.get().value() > -Float.MAX_VALUE
        && !(padded.get().value() == 0 && isNeverNegative(input.step()))) {
      throw new RefusedException(
          "pools features padded with %s, which may be the largest: known is padding behind a ReLU"
              .formatted(padded.get().value()));
    }
    Operator.Pool pool = new Operator.Pool(Operator.Pool.Kind.MAX, windows.window(padded));
    return steps.add(node.name(), pool, input);
  }

  private static boolean isNeverNegative(Step step) {
    return step.op() instanceof Operator.Activation activation
        && switch (activation.function().kind()) {
          case RELU -> activation.function().slope() == 0;
          case SIGMOID, HARD_SIGMOID -> true;
          case HARD_SWISH, SILU, GELU, MISH -> false;
        };
  }

  private Operand averagePool(Node node) {
    Operand.Dynamic value = node.dynamic(0);
    Operand.Feature input = source(value);
    Windows windows = new Windows(node, kernel(node), value.sizes());
    Optional<Operand.Padded> padded = Windows.padded(value);
    boolean counted = node.flag("count_include_pad");
    if (padded.isEmpty() && windows.covers(value.sizes())) {
      return pixel(steps.add(node.name(), new Operator.GlobalAveragePool(), input));
    }
    if (padded.isPresent()
        && (padded.get().value() != 0
            || windows.reachesBeyond()
            || !windows.isUnpadded() && !counted)) {
      throw new RefusedException(
          "averages padded features with padding of its own: known is padding by 0, counted");
    }
    if (windows.reachesBeyond() && counted && !windows.isUnpadded()) {
      throw new RefusedException(
          "counts its padding, and has windows that reach beyond it (ceil_mode)");
    }
    boolean all =
        padded.isPresent() || (counted || windows.isUnpadded()) && !windows.reachesBeyond();
    return steps.add(
        node.name(),
        new Operator.Pool(
            all ? Operator.Pool.Kind.AVERAGE : Operator.Pool.Kind.AVERAGE_UNPADDED,
            windows.window(padded)),
        input);
  }

  /** A vector as an image of one pixel. */
  private static Operand.Feature pixel(Operand.Feature vector) {
    return new Operand.Feature(vector.step(), List.of(vector.sizes().getFirst(), 1L, 1L));
  }

  private Operand globalAveragePool(Node node) {
    return mean(node, features.of(node.dynamic(0)));
  }

  private Operand.Feature mean(Node node, Operand.Feature input) {
    // Of a single pixel it is that pixel.
    return input.sizes().size() == 1
        ? pixel(input)
        : pixel(steps.add(node.name(), new Operator.GlobalAveragePool(), input));
  }

  private Operand globalMaxPool(Node node) {
    Operand.Feature input = features.of(node.dynamic(0));
    if (input.sizes().size() == 1) {
      return pixel(input);
    }
    Window window =
        new Window(
            Windows.size(input.sizes().get(1), input.sizes().get(2)),
            new Window.Size(1, 1),
            new Window.Padding(0, 0, 0, 0),
            new Window.Size(1, 1));
    return steps.add(node.name(), new Operator.Pool(Operator.Pool.Kind.MAX, window), input);
  }

  private Operand reduceMean(Node node) {
    Operand.Dynamic value = node.dynamic(0);
    int rank = value.sizes().size() + 1;
    long[] axes =
        node.wholes("axes", 1)
            .orElseThrow(() -> new RefusedException("takes the mean over the whole batch"));
    boolean[] reduced = new boolean[rank];
    for (long axis : axes) {
      reduced[node.axis(axis, rank)] = true;
    }
    boolean keeps = node.whole("keepdims", 1) != 0;
    // The axis of the channels among those behind the batch's.
    int channels = value instanceof Operand.ChannelsLast ? rank - 1 : 1;
    if (reduced[0] || reduced[channels]) {
      throw new RefusedException(
          "takes the mean over axes %s; known are those of height and width"
              .formatted(Arrays.toString(axes)));
    }
    List<Long> sizes = new ArrayList<>();
    boolean whole = true;
    for (int axis = 1; axis < rank; axis++) {
      long size = value.sizes().get(axis - 1);
      whole &= reduced[axis] || axis == channels || size == 1;
      if (!reduced[axis] || keeps) {
        sizes.add(reduced[axis] ? 1L : size);
      }
    }
    if (!whole && value instanceof Operand.ChannelsLast) {
      throw new RefusedException("takes the mean of rows or columns alone");
    }
    Operand.Dynamic source =
        switch (value) {
          case Operand.ChannelsLast last -> last.source();
          case Operand.PartialMean partial -> partial.source();
          case Operand.Feature feature -> image(feature);
          case Operand.Dynamic other -> other;
        };
    Operand.Feature input = features.of(source);
    return whole
        ? new Operand.Feature(mean(node, input).step(), sizes)
        : new Operand.PartialMean(input, sizes);
  }

  /** Features whose pixels are in a row, [c, h w], as they are in the image. */
  private static Operand.Feature image(Operand.Feature feature) {
    List<Long> natural = feature.step().sizes();
    boolean rows =
        natural.size() == 3
            && feature.sizes().size() >= 2
            && feature.sizes().getFirst().equals(natural.getFirst());
    return rows ? new Operand.Feature(feature.step(), natural) : feature;
  }
}
