package org.hast4j.source.onnx;

import ai.onnx.proto.OnnxMl.AttributeProto;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Operator;
import org.hast4j.model.Window;
import org.hast4j.tensor.DType;

/** Parts of features and constants, what they are put together to, and constants themselves. */
final class Parts {
  private final Steps steps;
  private final Features features;
  private final ExternalData external;

  Parts(Steps steps, Features features, ExternalData external) {
    this.steps = steps;
    this.features = features;
    this.external = external;
  }

  void register(Map<String, Translation> table) {
    table.put("Constant", Translation.of(this::constant));
    table.put("ConstantOfShape", Translation.of(this::constantOfShape));
    table.put("Concat", Translation.of(this::concat));
    table.put("Slice", Translation.of(this::slice));
    table.put("Split", this::split);
    table.put("Pad", Translation.of(this::pad));
  }

  private Operand constant(Node node) {
    if (node.proto().getAttributeCount() != 1) {
      throw new RefusedException("has not one value");
    }
    AttributeProto value = node.proto().getAttribute(0);
    return switch (value.getName()) {
      case "value" -> {
        Constant constant = Constant.of(value.getT(), external);
        yield new Constant(
            node.proto().getOutput(0), constant.type(), constant.sizes(), constant.values());
      }
      case "value_int" -> Constant.of(value.getI()).sized(List.of());
      case "value_ints" ->
          Constant.of(value.getIntsList().stream().mapToLong(Long::longValue).toArray());
      case "value_float" -> floats(List.of(value.getF())).sized(List.of());
      case "value_floats" -> floats(value.getFloatsList());
      default ->
          throw new RefusedException(
              "has a value of another kind, %s".formatted(Names.quoted(value.getName())));
    };
  }

  private static Constant floats(List<Float> values) {
    return new Constant(
        "", DType.F32, List.of((long) values.size()), new Values.Listed(DType.F32, values));
  }

  private Operand constantOfShape(Node node) {
    List<Long> sizes = Arrays.stream(node.constant(0).wholes()).boxed().toList();
    if (sizes.contains(Graph.BATCH)) {
      throw new RefusedException("makes a constant for each image of a batch");
    }
    Constant value =
        node.attribute("value", AttributeProto.AttributeType.TENSOR)
            .map(attribute -> Constant.of(attribute.getT(), external))
            .orElseGet(() -> floats(List.of(0f)));
    if (value.count() != 1) {
      throw new RefusedException("has a value of %s, not one number".formatted(value));
    }
    Constant repeated = value.repeated(sizes);
    return new Constant(
        node.proto().getOutput(0), repeated.type(), repeated.sizes(), repeated.values());
  }

  private Operand concat(Node node) {
    List<Operand> operands = new ArrayList<>();
    for (int i = 0; i < node.operands().size(); i++) {
      operands.add(node.required(i));
    }
    if (operands.isEmpty()) {
      throw new RefusedException("puts nothing together");
    }
    if (operands.stream().allMatch(Constant.class::isInstance)) {
      return concatenated(operands.stream().map(Constant.class::cast).toList());
    }
    List<Operand.Dynamic> values = new ArrayList<>();
    for (int i = 0; i < operands.size(); i++) {
      values.add(node.dynamic(i));
    }
    boolean last = values.stream().allMatch(Operand.ChannelsLast.class::isInstance);
    int rank = values.getFirst().sizes().size() + 1;
    int axis = node.axis(node.whole("axis", 1), rank);
    if (axis != (last ? rank - 1 : 1)) {
      throw new RefusedException(
          "puts features together along axis %d; known is that of channels".formatted(axis));
    }
    if (last) {
      values.replaceAll(value -> ((Operand.ChannelsLast) value).source());
    }
    Operand.Feature output =
        values.size() == 1
            ? features.settled(values.getFirst())
            : steps.add(
                node.name(),
                new Operator.Concat(),
                values.stream().map(features::of).toArray(Operand.Feature[]::new));
    List<Long> sizes = new ArrayList<>(values.getFirst().sizes());
    sizes.set(0, output.step().sizes().getFirst());
    Operand.Feature sized = new Operand.Feature(output.step(), sizes);
    return last ? new Operand.ChannelsLast(sized) : sized;
  }

  private static Constant concatenated(List<Constant> constants) {
    List<Long> all = new ArrayList<>();
    for (Constant constant : constants) {
      if (constant.sizes().size() != 1) {
        throw new RefusedException(
            "puts constants of %s together; known are sizes".formatted(constant));
      }
      for (long value : constant.wholes()) {
        all.add(value);
      }
    }
    return Constant.of(all.stream().mapToLong(Long::longValue).toArray());
  }

  /** From begin to end by step along an axis, in bounds. */
  private record Range(int axis, long begin, long step, long count) {
    boolean isAll(long size) {
      return begin == 0 && step == 1 && count == size;
    }
  }

  private Operand slice(Node node) {
    Operand value = node.required(0);
    List<Long> sizes = new ArrayList<>();
    switch (value) {
      case Constant constant -> sizes.addAll(constant.sizes());
      case Operand.Dynamic dynamic -> {
        // Any size that all of the batch is within.
        sizes.add((long) Integer.MAX_VALUE);
        sizes.addAll(dynamic.sizes());
      }
    }
    List<Range> ranges = ranges(node, sizes);
    return switch (value) {
      case Constant constant -> sliced(constant, ranges);
      case Operand.Dynamic dynamic -> sliced(dynamic, sizes, ranges);
    };
  }

  private static List<Range> ranges(Node node, List<Long> sizes) {
    long[] starts =
        node.wholes("starts", 1).orElseThrow(() -> new RefusedException("has no starts"));
    long[] ends = node.wholes("ends", 2).orElseThrow(() -> new RefusedException("has no ends"));
    long[] axes = node.wholes("axes", 3).orElse(null);
    long[] strides = node.optionalConstant(4).map(Constant::wholes).orElse(null);
    if (ends.length != starts.length
        || axes != null && axes.length != starts.length
        || strides != null && strides.length != starts.length) {
      throw new RefusedException("has different numbers of starts, ends, axes and steps");
    }
    List<Range> ranges = new ArrayList<>();
    for (int i = 0; i < starts.length; i++) {
      int axis = node.axis(axes == null ? i : axes[i], sizes.size());
      long size = sizes.get(axis);
      long step = strides == null ? 1 : strides[i];
      if (step == 0 || step == Long.MIN_VALUE) {
        throw new RefusedException("has a step of %d".formatted(step));
      }
      long begin = starts[i] == Graph.BATCH ? size : starts[i];
      long end = ends[i] == Graph.BATCH ? size : ends[i];
      begin = begin < 0 ? begin + size : begin;
      end = end < 0 ? Math.max(end, Long.MIN_VALUE / 2) + size : end;
      begin = step > 0 ? Math.clamp(begin, 0, size) : Math.clamp(begin, 0, size - 1);
      end = step > 0 ? Math.clamp(end, 0, size) : Math.clamp(end, -1, size - 1);
      long length = step > 0 ? end - begin : begin - end;
      ranges.add(
          new Range(axis, begin, step, length <= 0 ? 0 : Math.ceilDiv(length, Math.abs(step))));
    }
    return ranges;
  }

  private static Constant sliced(Constant constant, List<Range> ranges) {
    long[] strides = constant.strides();
    List<Long> sizes = new ArrayList<>(constant.sizes());
    long start = 0;
    for (Range range : ranges) {
      start += range.begin * strides[range.axis];
      sizes.set(range.axis, range.count);
      strides[range.axis] *= range.step;
    }
    return constant.ordered(sizes, strides, start);
  }

  private Operand sliced(Operand.Dynamic whole, List<Long> sizes, List<Range> ranges) {
    Operand.Dynamic value = whole;
    for (Range range : ranges) {
      long size = sizes.get(range.axis);
      if (range.isAll(size)) {
        continue;
      }
      if (range.axis == 1 && range.step == 1 && range.count > 0) {
        value = channels(value, range.begin, range.begin + range.count);
      } else if (sizes.size() == 4
          && range.axis >= 2
          && range.begin == 0
          && range.step > 1
          && range.count == Math.ceilDiv(size, range.step)) {
        value = strided(value, range.axis, range.step);
      } else {
        throw new RefusedException(
            "takes a part of features along axis %d, %d from %d on by %d, of %s; known are channels side by side, and every so many rows and columns"
                .formatted(range.axis, range.count, range.begin, range.step, whole.sizes()));
      }
    }
    return value;
  }

  private Operand.Dynamic channels(Operand.Dynamic value, long begin, long end) {
    Operand.Feature input = features.of(value);
    Operand.Feature output =
        steps.add(input.step().name() + ".slice", new Operator.Slice(begin, end), input);
    List<Long> sizes = new ArrayList<>(value.sizes());
    sizes.set(0, end - begin);
    return new Operand.Feature(output.step(), sizes);
  }

  private Operand.Dynamic strided(Operand.Dynamic value, int axis, long step) {
    int stride = Math.toIntExact(step);
    Window.Size before =
        value instanceof Operand.Strided strided ? strided.strides() : new Window.Size(1, 1);
    Operand.Feature source =
        value instanceof Operand.Strided strided ? strided.source() : features.of(value);
    if (source.sizes().size() != 3) {
      throw new RefusedException("takes rows or columns of a vector");
    }
    return new Operand.Strided(
        source,
        axis == 2
            ? new Window.Size(Math.multiplyExact(before.height(), stride), before.width())
            : new Window.Size(before.height(), Math.multiplyExact(before.width(), stride)));
  }

  private List<Operand> split(Node node) {
    Operand.Dynamic value = node.dynamic(0);
    int axis = node.axis(node.whole("axis", 0), value.sizes().size() + 1);
    if (axis != 1 || value instanceof Operand.ChannelsLast) {
      throw new RefusedException(
          "splits features along axis %d; known is that of channels, 1".formatted(axis));
    }
    long channels = value.sizes().getFirst();
    int count = node.proto().getOutputCount();
    long each = Math.ceilDiv(channels, Math.max(count, 1));
    long[] lengths = node.wholes("split", 1).orElse(null);
    if (lengths != null && lengths.length != count) {
      throw new RefusedException("has %d outputs of %d parts".formatted(count, lengths.length));
    }
    List<Operand> parts = new ArrayList<>();
    long begin = 0;
    for (int i = 0; i < count; i++) {
      long length = lengths == null ? Math.min(each, channels - begin) : lengths[i];
      if (length < 1 || length > channels - begin) {
        throw new RefusedException("splits %d channels into more".formatted(channels));
      }
      parts.add(count == 1 ? value : channels(value, begin, begin + length));
      begin += length;
    }
    if (begin != channels) {
      throw new RefusedException("splits %d of %d channels".formatted(begin, channels));
    }
    return parts;
  }

  private Operand pad(Node node) {
    Operand.Dynamic value = node.dynamic(0);
    String mode = node.text("mode", "constant");
    int rank = value.sizes().size() + 1;
    long[] given = node.wholes("pads", 1).orElseThrow(() -> new RefusedException("has no pads"));
    long[] axes = node.optionalConstant(3).map(Constant::wholes).orElse(null);
    int count = axes == null ? rank : axes.length;
    if (!mode.equals("constant") || given.length != 2 * count) {
      throw new RefusedException(
          "pads in mode %s by %d numbers; known is constant by %d"
              .formatted(Names.quoted(mode), given.length, 2 * count));
    }
    int[] pads = new int[2 * rank];
    boolean any = false;
    for (int i = 0; i < count; i++) {
      int axis = axes == null ? i : node.axis(axes[i], rank);
      for (int end = 0; end < 2; end++) {
        long pad = given[end * count + i];
        if (pad < 0 || pad > 1 << 20) {
          throw new RefusedException(
              "pads by %s, which cuts".formatted(pad == Graph.BATCH ? "the batch" : pad));
        }
        pads[end * rank + axis] = (int) pad;
        any |= pad != 0;
      }
    }
    if (!any) {
      return value;
    }
    float filling =
        node.optionalConstant(2)
            .filter(constant -> constant.count() == 1)
            .map(constant -> constant.values().real(0))
            .orElseGet(() -> node.real("value", 0));
    if (rank != 4 || pads[0] != 0 || pads[4] != 0) {
      throw new RefusedException("pads what are no images, or the batch");
    }
    return pads[1] != 0 || pads[5] != 0
        ? channelPad(node, value, pads, filling)
        : padded(value, new Window.Padding(pads[2], pads[3], pads[6], pads[7]), filling);
  }

  private Operand channelPad(Node node, Operand.Dynamic value, int[] pads, float filling) {
    boolean channelsOnly = pads[2] == 0 && pads[3] == 0 && pads[6] == 0 && pads[7] == 0;
    if (!channelsOnly || pads[1] != pads[5] || filling != 0) {
      throw new RefusedException(
          "pads channels by %d and %d; known are as many zero channels in front and behind, without rows and columns"
              .formatted(pads[1], pads[5]));
    }
    long channels = value.sizes().getFirst() + pads[1] + pads[5];
    if (value instanceof Operand.Strided(Operand.Feature source, Window.Size strides)
        && strides.height() == strides.width()) {
      return steps.add(
          node.name(), new Operator.ChannelPad(strides.height(), channels), features.of(source));
    }
    return steps.add(node.name(), new Operator.ChannelPad(1, channels), features.of(value));
  }

  private Operand padded(Operand.Dynamic value, Window.Padding padding, float filling) {
    if (value instanceof Operand.Padded before && before.value() == filling) {
      Window.Padding inner = before.padding();
      return new Operand.Padded(
          before.source(),
          new Window.Padding(
              Math.addExact(inner.top(), padding.top()),
              Math.addExact(inner.left(), padding.left()),
              Math.addExact(inner.bottom(), padding.bottom()),
              Math.addExact(inner.right(), padding.right())),
          filling);
    }
    Operand.Feature source = features.of(value);
    if (source.sizes().size() != 3) {
      throw new RefusedException("pads a single pixel");
    }
    return new Operand.Padded(source, padding, filling);
  }
}
