package org.hast4j.source.onnx;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Operator;
import org.hast4j.tensor.DType;

/** The same values by other sizes, and what graphs compute these sizes with. */
final class Shapes {
  private final Steps steps;
  private final Features features;
  private final long batch;

  /**
   * @param batch images of a batch if the graph says it, else 1: then sizes that the graph has as
   *     constants are those of one image
   */
  Shapes(Steps steps, Features features, long batch) {
    this.steps = steps;
    this.features = features;
    this.batch = batch;
  }

  void register(Map<String, Translation> table) {
    for (String same : new String[] {"Identity", "Dropout"}) {
      table.put(same, Translation.of(node -> node.required(0)));
    }
    table.put("Cast", Translation.of(Shapes::cast));
    table.put("Floor", Translation.of(Shapes::floor));
    table.put("Shape", Translation.of(Shapes::shape));
    table.put("Gather", Translation.of(Shapes::gather));
    table.put("Reshape", Translation.of(this::reshape));
    table.put("Flatten", Translation.of(this::flatten));
    table.put("Squeeze", Translation.of(this::squeeze));
    table.put("Unsqueeze", Translation.of(this::unsqueeze));
    table.put("Transpose", Translation.of(this::transpose));
  }

  private static Operand cast(Node node) {
    DType type =
        switch ((int) node.whole("to", 0)) {
          case 1 -> DType.F32;
          case 10 -> DType.F16;
          case 11 -> DType.F64;
          case 16 -> DType.BF16;
          case 6 -> DType.I32;
          case 7 -> DType.I64;
          default ->
              throw new RefusedException(
                  "makes another type, number %d, of its input; known are those of floating-point numbers, INT32 and INT64"
                      .formatted(node.whole("to", 0)));
        };
    return switch (node.required(0)) {
      case Constant constant -> {
        Constant cast = new Constant(constant.name(), type, constant.sizes(), constant.values());
        if (constant.isWhole() && !cast.isWhole()) {
          for (long value : constant.wholes()) {
            if (value == Graph.BATCH) {
              throw new RefusedException("computes with the size of the batch");
            }
          }
        }
        yield cast;
      }
      case Operand.Dynamic value -> {
        if (type == DType.I32 || type == DType.I64) {
          throw new RefusedException("makes whole numbers of features");
        }
        yield value;
      }
    };
  }

  private static Operand floor(Node node) {
    float[] values = node.constant(0).reals();
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) Math.floor(values[i]);
    }
    return new Constant(
        "", node.constant(0).type(), node.constant(0).sizes(), new Values.Reals(values));
  }

  private static Operand shape(Node node) {
    List<Long> sizes = new ArrayList<>();
    switch (node.required(0)) {
      case Constant constant -> sizes.addAll(constant.sizes());
      case Operand.Dynamic value -> {
        sizes.add(Graph.BATCH);
        sizes.addAll(value.sizes());
      }
    }
    int rank = sizes.size();
    int start = clamped(node.whole("start", 0), rank);
    int end = clamped(node.whole("end", rank), rank);
    return Constant.of(
        sizes.subList(Math.min(start, end), end).stream().mapToLong(Long::longValue).toArray());
  }

  private static int clamped(long position, int rank) {
    return Math.clamp(position < 0 ? position + rank : position, 0, rank);
  }

  private static Operand gather(Node node) {
    Constant data = node.constant(0);
    Constant indices = node.constant(1);
    if (data.sizes().size() != 1 || indices.sizes().size() > 1) {
      throw new RefusedException(
          "gathers %s of %s; known are sizes of a shape".formatted(indices, data));
    }
    long[] from = indices.wholes();
    long[] all = data.wholes();
    long[] values = new long[from.length];
    for (int i = 0; i < values.length; i++) {
      if (from[i] < -all.length || from[i] >= all.length) {
        throw new RefusedException("gathers number %d of %d".formatted(from[i], all.length));
      }
      values[i] = all[(int) (from[i] < 0 ? from[i] + all.length : from[i])];
    }
    return new Constant("", data.type(), indices.sizes(), new Values.Wholes(values));
  }

  private static long product(List<Long> sizes) {
    long product = 1;
    for (long size : sizes) {
      product = Math.multiplyExact(product, size);
    }
    return product;
  }

  /** The same values by other sizes, of as many. */
  private Operand view(Operand.Dynamic value, List<Long> sizes) {
    if (product(sizes) != product(value.sizes())) {
      throw new RefusedException(
          "makes %s of features of %s, which are more or fewer".formatted(sizes, value.sizes()));
    }
    if (sizes.equals(value.sizes())) {
      return value;
    }
    return switch (value) {
      case Operand.Feature feature -> new Operand.Feature(feature.step(), sizes);
      case Operand.Shuffled shuffled -> {
        Operand.Feature source = features.of(shuffled.source());
        Operand.Feature output =
            steps.add(
                source.step().name() + ".shuffle",
                new Operator.ChannelShuffle(shuffled.groups()),
                source);
        yield new Operand.Feature(output.step(), sizes);
      }
      case Operand.ChannelsLast last when isVector(sizes) || isVector(last.sizes()) ->
          isVector(last.sizes()) ? view(last.source(), sizes) : refuseFlattening();
      case Operand.ChannelsLast _ -> refuseFlattening();
      case Operand.Final last ->
          view(last.source(), sizes) instanceof Operand.Dynamic inner
              ? new Operand.Final(inner, last.node())
              : last;
      case Operand.Padded _,
          Operand.Strided _,
          Operand.PartialMean _,
          Operand.Affine _,
          Operand.Product _,
          Operand.Function _ ->
          new Operand.Feature(features.settled(value).step(), sizes);
    };
  }

  private static Operand refuseFlattening() {
    throw new RefusedException(
        "reshapes features that are [height, width, channels]: known is [channels, height, width]");
  }

  private static boolean isVector(List<Long> sizes) {
    return sizes.stream().filter(size -> size != 1).count() <= 1;
  }

  private Operand reshape(Node node) {
    long[] wanted =
        node.wholes("shape", 1).orElseThrow(() -> new RefusedException("has no sizes to make"));
    boolean zeros = node.flag("allowzero");
    return switch (node.required(0)) {
      case Constant constant -> constant.sized(resolved(wanted, constant.sizes(), zeros));
      case Operand.Dynamic value -> {
        if (wanted.length < 2) {
          throw new RefusedException("puts the images of a batch into one row");
        }
        long[] rest = new long[wanted.length - 1];
        System.arraycopy(wanted, 1, rest, 0, rest.length);
        boolean infers = wanted[0] == -1;
        if (!infers && wanted[0] != Graph.BATCH && wanted[0] != 0 && wanted[0] != batch) {
          throw new RefusedException(
              "makes a batch of %d images of one of %d".formatted(wanted[0], batch));
        }
        List<Long> sizes = resolved(rest, value.sizes(), zeros);
        yield view(value, sizes);
      }
    };
  }

  /** Sizes of which 0 is as before, and -1 what is left. */
  private static List<Long> resolved(long[] wanted, List<Long> before, boolean zeros) {
    long all = product(before);
    long known = 1;
    int open = -1;
    List<Long> sizes = new ArrayList<>();
    for (int i = 0; i < wanted.length; i++) {
      long size = wanted[i];
      if (size == 0 && !zeros) {
        if (i >= before.size()) {
          throw new RefusedException("keeps a size that is not there");
        }
        size = before.get(i);
      }
      if (size == Graph.BATCH) {
        throw new RefusedException("mixes the images of a batch with their features");
      }
      if (size < -1 || size == -1 && open >= 0) {
        throw new RefusedException("makes sizes that are none, or leaves two open");
      }
      if (size == -1) {
        open = i;
      } else {
        known = Math.multiplyExact(known, size);
      }
      sizes.add(size);
    }
    if (open >= 0) {
      if (known == 0 || all % known != 0) {
        throw new RefusedException(
            "makes %s of sizes %s, which do not divide".formatted(sizes, before));
      }
      sizes.set(open, all / known);
      known *= sizes.get(open);
    }
    if (known != all) {
      throw new RefusedException(
          "makes %s of sizes %s, which are more or fewer values".formatted(sizes, before));
    }
    return sizes;
  }

  private Operand flatten(Node node) {
    Operand.Dynamic value = node.dynamic(0);
    int axis = node.axis(node.whole("axis", 1), value.sizes().size() + 2);
    if (axis != 1) {
      throw new RefusedException(
          "flattens from axis %d; known is 1, all but the batch".formatted(axis));
    }
    return view(value, List.of(product(value.sizes())));
  }

  private Operand squeeze(Node node) {
    List<Long> before = sizes(node.required(0));
    int rank = before.size();
    List<Long> sizes = new ArrayList<>(before);
    node.wholes("axes", 1)
        .ifPresentOrElse(
            axes -> {
              boolean[] drop = new boolean[rank];
              for (long axis : axes) {
                drop[node.axis(axis, rank)] = true;
              }
              sizes.clear();
              for (int i = 0; i < rank; i++) {
                if (!drop[i]) {
                  sizes.add(before.get(i));
                } else if (before.get(i) != 1) {
                  throw new RefusedException(
                      "drops an axis of size %s"
                          .formatted(before.get(i) == Graph.BATCH ? "batch" : before.get(i)));
                }
              }
            },
            () -> sizes.removeIf(size -> size == 1));
    return by(node.required(0), sizes);
  }

  private Operand unsqueeze(Node node) {
    long[] axes =
        node.wholes("axes", 1).orElseThrow(() -> new RefusedException("has no axes to add"));
    List<Long> sizes = new ArrayList<>(sizes(node.required(0)));
    int rank = sizes.size() + axes.length;
    if (rank > 16) {
      throw new RefusedException("makes %d axes".formatted(rank));
    }
    boolean[] added = new boolean[rank];
    for (long axis : axes) {
      added[node.axis(axis, rank)] = true;
    }
    for (int i = 0; i < rank; i++) {
      if (added[i]) {
        sizes.add(Math.min(i, sizes.size()), 1L);
      }
    }
    return by(node.required(0), sizes);
  }

  /** With the batch in front of features'. */
  private static List<Long> sizes(Operand value) {
    return switch (value) {
      case Constant constant -> constant.sizes();
      case Operand.Dynamic dynamic -> {
        List<Long> sizes = new ArrayList<>(List.of(Graph.BATCH));
        sizes.addAll(dynamic.sizes());
        yield sizes;
      }
    };
  }

  private Operand by(Operand value, List<Long> sizes) {
    return switch (value) {
      case Constant constant -> constant.sized(sizes);
      case Operand.Dynamic dynamic -> {
        if (sizes.isEmpty() || sizes.getFirst() != Graph.BATCH) {
          throw new RefusedException("puts an axis in front of the batch");
        }
        yield view(dynamic, sizes.subList(1, sizes.size()));
      }
    };
  }

  private Operand transpose(Node node) {
    Operand value = node.required(0);
    int rank = sizes(value).size();
    long[] given = node.wholes("perm").orElseGet(() -> reversed(rank));
    if (given.length != rank) {
      throw new RefusedException("orders %d axes of %d".formatted(given.length, rank));
    }
    int[] order = new int[rank];
    boolean[] seen = new boolean[rank];
    for (int i = 0; i < rank; i++) {
      order[i] = node.axis(given[i], rank);
      if (seen[order[i]]) {
        throw new RefusedException("has an axis twice");
      }
      seen[order[i]] = true;
    }
    return switch (value) {
      case Constant constant -> constant.transposed(order);
      case Operand.Dynamic dynamic -> transposed(dynamic, order);
    };
  }

  private static long[] reversed(int rank) {
    long[] order = new long[rank];
    for (int i = 0; i < rank; i++) {
      order[i] = rank - 1 - i;
    }
    return order;
  }

  private Operand transposed(Operand.Dynamic value, int[] order) {
    List<Long> sizes = value.sizes();
    List<Long> after = new ArrayList<>();
    for (int i = 1; i < order.length; i++) {
      if (order[i] == 0) {
        throw new RefusedException("puts an axis in front of the batch");
      }
      after.add(sizes.get(order[i] - 1));
    }
    boolean image = order.length == 4;
    if (isIn(order, 1, 2, 3, 4, 5, 6, 7)) {
      return value;
    }
    if (value instanceof Operand.ChannelsLast last && image && isIn(order, 3, 1, 2)) {
      return last.source();
    }
    if (isVector(sizes)) {
      return view(value, after);
    }
    if (value instanceof Operand.ChannelsLast) {
      throw new RefusedException("transposes features in a way that is not known");
    }
    Operand.Feature source = features.settled(value);
    List<Long> natural = source.step().sizes();
    if (image && isIn(order, 2, 3, 1) && sizes.equals(natural)) {
      return new Operand.ChannelsLast(source);
    }
    if (isIn(order, 2, 1, 3, 4, 5, 6, 7)
        && natural.getFirst().equals(Math.multiplyExact(sizes.get(0), sizes.get(1)))) {
      return new Operand.Shuffled(
          new Operand.Feature(source.step(), natural), Math.toIntExact(sizes.get(0)), after);
    }
    throw new RefusedException(
        "transposes features of %s to %s: known is a channel shuffle, and [height, width, channels] to and from it"
            .formatted(sizes, after));
  }

  /** Whether the axes behind the batch's are in some order, as many as there are. */
  private static boolean isIn(int[] order, int... expected) {
    for (int i = 1; i < order.length; i++) {
      if (i > expected.length || order[i] != expected[i - 1]) {
        return false;
      }
    }
    return true;
  }
}
