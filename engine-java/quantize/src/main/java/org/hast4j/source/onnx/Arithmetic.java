package org.hast4j.source.onnx;

import java.util.List;
import java.util.Map;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Operator;

/** Sums and products: of features, of features and constants, and of constants. */
final class Arithmetic {
  private final Steps steps;
  private final Features features;

  Arithmetic(Steps steps, Features features) {
    this.steps = steps;
    this.features = features;
  }

  void register(Map<String, Translation> table) {
    table.put("Add", Translation.of(node -> binary(node, Sign.ADD)));
    table.put("Sub", Translation.of(node -> binary(node, Sign.SUBTRACT)));
    table.put("Mul", Translation.of(node -> binary(node, Sign.MULTIPLY)));
    table.put("Div", Translation.of(node -> binary(node, Sign.DIVIDE)));
    table.put("Neg", Translation.of(node -> scaled(node, node.dynamic(0), -1)));
    table.put("Sum", Translation.of(this::sum));
  }

  private enum Sign {
    ADD,
    SUBTRACT,
    MULTIPLY,
    DIVIDE;

    long of(long a, long b) {
      if (a == Graph.BATCH && b == 1 && (this == MULTIPLY || this == DIVIDE)
          || b == Graph.BATCH && a == 1 && this == MULTIPLY) {
        return Graph.BATCH;
      }
      if (a == Graph.BATCH || b == Graph.BATCH) {
        throw new RefusedException("computes with the size of the batch");
      }
      if (this == DIVIDE && b == 0) {
        throw new RefusedException("divides %d by 0".formatted(a));
      }
      return switch (this) {
        case ADD -> Math.addExact(a, b);
        case SUBTRACT -> Math.subtractExact(a, b);
        case MULTIPLY -> Math.multiplyExact(a, b);
        case DIVIDE -> Math.divideExact(a, b);
      };
    }

    double of(double a, double b) {
      return switch (this) {
        case ADD -> a + b;
        case SUBTRACT -> a - b;
        case MULTIPLY -> a * b;
        case DIVIDE -> a / b;
      };
    }
  }

  private Operand binary(Node node, Sign sign) {
    Operand second = node.required(1);
    return switch (node.required(0)) {
      case Constant a ->
          switch (second) {
            case Constant b -> computed(a, b, sign);
            case Operand.Dynamic b ->
                switch (sign) {
                  case ADD, MULTIPLY -> affine(node, b, a, sign);
                  case SUBTRACT -> affine(node, scaled(node, b, -1), a, Sign.ADD);
                  case DIVIDE ->
                      throw new RefusedException("divides by features, which no layer does");
                };
          };
      case Operand.Dynamic a ->
          switch (second) {
            case Constant b -> affine(node, a, b, sign);
            case Operand.Dynamic b ->
                switch (sign) {
                  case ADD -> sum(node, a, b);
                  case MULTIPLY -> product(node, a, b);
                  case SUBTRACT, DIVIDE ->
                      throw new RefusedException(
                          "subtracts features or divides by them, which no layer does");
                };
          };
    };
  }

  private Operand sum(Node node) {
    Operand.Dynamic sum = node.dynamic(0);
    for (int i = 1; i < node.operands().size(); i++) {
      sum = sum(node, sum, node.dynamic(i));
    }
    return sum;
  }

  /** Two constants of the same sizes, or one of them a single number. */
  private static Constant computed(Constant a, Constant b, Sign sign) {
    boolean same = a.sizes().equals(b.sizes());
    if (!same && a.count() != 1 && b.count() != 1) {
      throw new RefusedException(
          "computes with constants of %s and %s; known are the same sizes, or a single number"
              .formatted(a, b));
    }
    Constant larger = b.count() == 1 && b.sizes().size() <= a.sizes().size() ? a : b;
    if (a.isWhole() && b.isWhole()) {
      long[] x = a.wholes();
      long[] y = b.wholes();
      long[] values = new long[larger.count()];
      for (int i = 0; i < values.length; i++) {
        values[i] = sign.of(x[x.length == 1 ? 0 : i], y[y.length == 1 ? 0 : i]);
      }
      return new Constant("", larger.type(), larger.sizes(), new Values.Wholes(values));
    }
    float[] x = a.reals();
    float[] y = b.reals();
    float[] values = new float[larger.count()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) sign.of((double) x[x.length == 1 ? 0 : i], y[y.length == 1 ? 0 : i]);
    }
    return new Constant("", larger.type(), larger.sizes(), new Values.Reals(values));
  }

  private static Operand.Dynamic scaled(Node node, Operand.Dynamic x, double factor) {
    return x instanceof Operand.ChannelsLast(Operand.Dynamic source)
        ? new Operand.ChannelsLast(scaled(node, source, factor))
        : then(node, x, new double[] {factor}, new double[] {0});
  }

  /** Features with a constant: one number, or one a channel. */
  private static Operand.Dynamic affine(
      Node node, Operand.Dynamic x, Constant constant, Sign sign) {
    boolean last = x instanceof Operand.ChannelsLast;
    float[] values = perChannel(constant, x.sizes(), last ? x.sizes().size() - 1 : 0);
    double[] scale = new double[values.length];
    double[] shift = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      if (sign == Sign.DIVIDE && values[i] == 0) {
        throw new RefusedException("divides by 0");
      }
      // Either is of the form that the other half of it has no part in.
      boolean adds = sign == Sign.ADD || sign == Sign.SUBTRACT;
      scale[i] = adds ? 1 : sign.of(1., values[i]);
      shift[i] = adds ? sign.of(0., values[i]) : 0;
    }
    return x instanceof Operand.ChannelsLast(Operand.Dynamic source)
        ? new Operand.ChannelsLast(then(node, source, scale, shift))
        : then(node, x, scale, shift);
  }

  /** The values of a constant that has one, or one a channel. */
  private static float[] perChannel(Constant constant, List<Long> sizes, int channelAxis) {
    if (constant.isWhole()) {
      throw new RefusedException("computes with features and whole numbers");
    }
    if (constant.count() == 1 && constant.sizes().size() <= sizes.size() + 1) {
      return constant.reals();
    }
    // Sizes meet at their end, and the batch's is one more in front.
    int behind = sizes.size() - 1 - channelAxis;
    int channel = constant.sizes().size() - 1 - behind;
    boolean fits =
        channel >= 0
            && constant.sizes().size() <= sizes.size() + 1
            && constant.sizes().get(channel).equals(sizes.get(channelAxis))
            && constant.count() == sizes.get(channelAxis);
    if (!fits) {
      throw new RefusedException(
          "computes with features of %s and a constant of %s; known are one number, and one a channel"
              .formatted(sizes, constant));
    }
    return constant.reals();
  }

  /** What comes before, scaled and shifted. */
  private static Operand.Dynamic then(
      Node node, Operand.Dynamic x, double[] scale, double[] shift) {
    if (!(x instanceof Operand.Affine before)) {
      boolean same = scale.length == 1 && scale[0] == 1 && shift[0] == 0;
      return same ? x : new Operand.Affine(x, scale, shift, node);
    }
    int count = Math.max(scale.length, before.scale().length);
    double[] scales = new double[count];
    double[] shifts = new double[count];
    for (int i = 0; i < count; i++) {
      int one = scale.length == 1 ? 0 : i;
      int other = before.scale().length == 1 ? 0 : i;
      scales[i] = scale[one] * before.scale()[other];
      shifts[i] = scale[one] * before.shift()[other] + shift[one];
    }
    return new Operand.Affine(before.base(), scales, shifts, node);
  }

  private Operand.Dynamic sum(Node node, Operand.Dynamic a, Operand.Dynamic b) {
    boolean swapped = isRepeated(a.sizes(), b.sizes());
    Operand.Dynamic first = swapped ? b : a;
    Operand.Dynamic second = swapped ? a : b;
    fits(first.sizes(), second.sizes());
    Operand.Feature output =
        steps.add(node.name(), new Operator.Add(), features.of(first), features.of(second));
    return new Operand.Feature(output.step(), first.sizes());
  }

  private Operand.Dynamic product(Node node, Operand.Dynamic a, Operand.Dynamic b) {
    boolean swapped = isRepeated(a.sizes(), b.sizes());
    Factor first = factor(swapped ? b : a);
    Factor second = factor(swapped ? a : b);
    fits(first.value.sizes(), second.value.sizes());
    Operand.Dynamic product = new Operand.Product(first.value, second.value, node);
    return then(node, product, new double[] {first.factor * second.factor}, new double[] {0});
  }

  private static void fits(List<Long> sizes, List<Long> others) {
    if (!sizes.equals(others) && !isRepeated(others, sizes)) {
      throw new RefusedException(
          "computes with features of %s and %s; known are the same sizes, and one value a channel"
              .formatted(sizes, others));
    }
  }

  /** Whether features are one value a channel of others. */
  private static boolean isRepeated(List<Long> sizes, List<Long> others) {
    return !sizes.equals(others)
        && others.size() == 3
        && sizes.equals(List.of(others.getFirst(), 1L, 1L));
  }

  /** A value as a number times another, whose own is 1. */
  private record Factor(double factor, Operand.Dynamic value) {}

  private static Factor factor(Operand.Dynamic value) {
    if (value instanceof Operand.Affine affine && affine.isScalar() && affine.scale()[0] != 0) {
      double factor = affine.scale()[0];
      double[] shift = {affine.shift()[0] / factor};
      return new Factor(factor, then(affine.node(), affine.base(), new double[] {1}, shift));
    }
    return new Factor(1, value);
  }
}
