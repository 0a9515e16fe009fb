package org.hast4j.ops;

import static org.hast4j.graph.TensorType.f32;
import static org.hast4j.graph.TensorType.i32;
import static org.hast4j.graph.TensorType.i64;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Loss;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Random;
import org.hast4j.graph.TensorType;
import org.hast4j.oracle.Oracle;
import org.hast4j.oracle.Tensor;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.ActivationFunction.Kind;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.RangeRule;
import org.hast4j.tensor.Shape;
import org.hast4j.tensor.StraightThrough;
import org.hast4j.tensor.Window;

/**
 * The table of operation cases that parity, sentinel and thread tests share. Shapes are small, and
 * odd where vectors, tiles and pieces of work have their edges.
 */
public final class OpCases {
  /** Sums of products in single precision whose result is about 1. */
  private static final double PRODUCTS = 1e-5;

  /** A few roundings. */
  private static final double ROUNDINGS = 2e-6;

  private static final double EXACT = 0;
  private static final float UNBOUNDED = Float.POSITIVE_INFINITY;

  private final List<OpCase> cases = new ArrayList<>();
  private RandomGenerator random;

  private OpCases() {}

  /** Every case, in the order of the operations in {@link Op}. */
  public static List<OpCase> all() {
    return Table.ALL;
  }

  /** Built when first asked for, after the constants above and below that it is built from. */
  private static final class Table {
    static final List<OpCase> ALL = build();
  }

  /** Every operation, family by family. */
  static List<Class<?>> operations() {
    return operations(Op.class).toList();
  }

  private static Stream<Class<?>> operations(Class<?> type) {
    return type.isSealed()
        ? Arrays.stream(type.getPermittedSubclasses()).flatMap(OpCases::operations)
        : Stream.of(type);
  }

  private static List<OpCase> build() {
    OpCases table = new OpCases();
    for (Class<?> op : operations()) {
      int before = table.cases.size();
      table.add(op.getSimpleName());
      if (table.cases.size() == before && op != Op.Variable.class && op != Op.Reshape.class) {
        throw new IllegalStateException("no case for " + op.getSimpleName());
      }
    }
    return List.copyOf(table.cases);
  }

  private void add(String op) {
    switch (op) {
      case "Variable", "Reshape" -> {
        // Both only name memory; the planner tests cover them.
      }
      case "Conv2d" -> convolutions();
      case "Conv2dDataGrad" -> dataGradients();
      case "Conv2dWeightGrad" -> weightGradients();
      case "DepthwiseConv2d" -> depthwise();
      case "DepthwiseConv2dDataGrad" -> depthwiseDataGradients();
      case "DepthwiseConv2dWeightGrad" -> depthwiseWeightGradients();
      case "ChannelSum" -> channelSums();
      case "BnStats" -> statistics();
      case "BnAct" -> batchNorms();
      case "BnActGrad" -> batchNormGradients();
      case "BnRunningStep" -> runningSteps();
      case "BnStatsLoss" -> statisticLosses();
      case "FakeQuant" -> fakeQuants();
      case "FakeQuantGrad" -> fakeQuantGradients();
      case "FakeQuantChannel" -> channelFakeQuants();
      case "MinMax" -> minMaxes();
      case "RangeTrackStep" -> rangeTracks();
      case "Linear" -> linears();
      case "LinearDataGrad" -> linearDataGradients();
      case "LinearWeightGrad" -> linearWeightGradients();
      case "GlobalAvgPool" -> pools();
      case "GlobalAvgPoolGrad" -> poolGradients();
      case "PixelSum" -> pixelSums();
      case "AveragePool" -> averagePools();
      case "AveragePoolGrad" -> averagePoolGradients();
      case "Concat" -> concatenations();
      case "Slice" -> slices();
      case "SliceGrad" -> sliceGradients();
      case "ChannelShuffle" -> shuffles();
      case "Flatten" -> flattenings();
      case "FlattenGrad" -> flatteningGradients();
      case "MaxPool" -> maxPools();
      case "MaxPoolGrad" -> maxPoolGradients();
      case "Upsample" -> upsamples();
      case "UpsampleGrad" -> upsampleGradients();
      case "Embedding" -> embeddings();
      case "EmbeddingGrad" -> embeddingGradients();
      case "Shortcut" -> shortcuts();
      case "ShortcutGrad" -> shortcutGradients();
      case "Tanh" -> elementwise(new Elementwise.Tanh(), 1, ROUNDINGS);
      case "TanhGrad" -> elementwise(new Elementwise.TanhGrad(), 2, ROUNDINGS);
      case "Activation" -> activations();
      case "ActivationGrad" -> activationGradients();
      case "PRelu" -> prelus();
      case "PReluGrad" -> preluGradients();
      case "Add" -> operands(new Elementwise.Add());
      case "Mul" -> operands(new Elementwise.Mul());
      case "Scale" -> {
        elementwise(new Elementwise.Scale(-.25f), 1, EXACT);
        elementwise(new Elementwise.Scale(3.3f), 1, ROUNDINGS);
      }
      case "SignPerturb" -> elementwise(new Elementwise.SignPerturb(.01f), 2, ROUNDINGS);
      case "HardCrossEntropy" -> crossEntropies();
      case "DistillKl" -> distillations();
      case "FeatureAlign" -> featureAlignments();
      case "PhiloxNormal" -> normals();
      case "PhiloxLabels" -> labels();
      case "Boxes" -> boxes();
      case "CropFlip" -> crops();
      case "GatherLabels" -> gathers();
      case "CropFlipGrad" -> cropGradients();
      case "AdamStep" -> adams();
      case "SgdStep" -> sgds();
      case "SampleStep" -> samples();
      case "KeepBestStep" -> keepsBest();
      case "CounterStep" -> counters();
      default -> throw new IllegalStateException("no case for " + op);
    }
  }

  // ---- building blocks ----

  /** Begins a case: its random inputs depend on its name alone. */
  private String begin(String name) {
    random = RandomGeneratorFactory.of("L64X128MixRandom").create(name.hashCode());
    return name;
  }

  private void end(String name, Op op, double tolerance, Tensor... inputs) {
    int outputs = op.outputs(Arrays.stream(inputs).map(Tensor::type).toList()).size();
    Set<Integer> all = new TreeSet<>(IntStream.range(0, outputs).boxed().toList());
    end(name, op, tolerance, all, inputs);
  }

  private void end(String name, Op op, double tolerance, Set<Integer> wanted, Tensor... inputs) {
    cases.add(new OpCase(name, op, List.of(inputs), wanted, tolerance));
  }

  private Tensor normal(TensorType type) {
    return Tensor.fill(type, random::nextGaussian);
  }

  private Tensor normal(double deviation, long... sizes) {
    return Tensor.fill(f32(sizes), () -> deviation * random.nextGaussian());
  }

  private Tensor uniform(double low, double high, long... sizes) {
    return Tensor.fill(f32(sizes), () -> low + (high - low) * random.nextDouble());
  }

  private Tensor integers(int limit, long... sizes) {
    return Tensor.fill(i32(sizes), () -> random.nextInt(limit));
  }

  private static Tensor scalar(double value) {
    return Tensor.of(f32(1), (float) value);
  }

  private static Tensor key(long seed, long step) {
    return Tensor.of(i64(2), seed, step);
  }

  // ---- convolution ----

  private record Conv(int n, int h, int w, int c, int k, int r, int s, int groups, Window window) {
    Conv(int n, int h, int w, int c, int k, int r, int s, int stride, int pad) {
      this(n, h, w, c, k, r, s, 1, new Window(stride, pad));
    }

    Convolution.Conv2d op() {
      return new Convolution.Conv2d(window, groups);
    }

    TensorType x() {
      return f32(n, h, w, c);
    }

    TensorType weight() {
      return f32(k, r, s, c / groups);
    }

    TensorType y() {
      return op().outputs(List.of(x(), weight())).getFirst();
    }

    @Override
    public String toString() {
      return "[%d,%d,%d,%d]->%d %dx%d%s %s"
          .formatted(n, h, w, c, k, r, s, groups == 1 ? "" : " g" + groups, text(window));
    }
  }

  /** Short, and the same for square strides and paddings as the random inputs were drawn from. */
  private static String text(Window window) {
    return window.equals(new Window(window.strideH(), window.top()))
        ? "s%d p%d".formatted(window.strideH(), window.top())
        : Arrays.toString(window.toArray()).replace(" ", "");
  }

  private static List<Conv> shapes() {
    List<Conv> shapes = new ArrayList<>();
    // Channel counts around the vector widths; 3 and 10 are an image's and a classifier's.
    int[][] channels = {
      {1, 1}, {3, 4}, {3, 16}, {4, 5}, {5, 7}, {7, 8}, {8, 10}, {10, 17}, {16, 16}, {17, 3},
      {16, 32}, {32, 32}, {32, 64}, {64, 64}, {64, 5}
    };
    for (int[] pair : channels) {
      shapes.add(new Conv(2, 5, 5, pair[0], pair[1], 3, 3, 1, 1));
      shapes.add(new Conv(1, 8, 8, pair[0], pair[1], 3, 3, 2, 1));
      shapes.add(new Conv(3, 5, 5, pair[0], pair[1], 1, 1, 1, 0));
      shapes.add(new Conv(1, 7, 6, pair[0], pair[1], 1, 1, 2, 0));
    }
    // The shapes of ResNet-20 on CIFAR-10, and those of its quarter-width copy.
    shapes.add(new Conv(1, 32, 32, 3, 16, 3, 3, 1, 1));
    shapes.add(new Conv(2, 32, 32, 16, 16, 3, 3, 1, 1));
    shapes.add(new Conv(1, 32, 32, 16, 32, 3, 3, 2, 1));
    shapes.add(new Conv(1, 32, 32, 16, 32, 1, 1, 2, 0));
    shapes.add(new Conv(2, 16, 16, 32, 32, 3, 3, 1, 1));
    shapes.add(new Conv(1, 16, 16, 32, 64, 3, 3, 2, 1));
    shapes.add(new Conv(3, 8, 8, 64, 64, 3, 3, 1, 1));
    shapes.add(new Conv(2, 32, 32, 4, 4, 3, 3, 1, 1));
    shapes.add(new Conv(17, 8, 8, 16, 16, 3, 3, 1, 1));
    // Other kernels, strides and paddings; an image smaller than the kernel; no padding at all.
    shapes.add(new Conv(2, 9, 7, 5, 6, 5, 5, 1, 2));
    shapes.add(new Conv(1, 9, 9, 16, 8, 5, 5, 2, 2));
    shapes.add(new Conv(2, 5, 5, 8, 16, 5, 5, 1, 0));
    shapes.add(new Conv(1, 6, 11, 4, 16, 3, 3, 3, 1));
    shapes.add(new Conv(2, 7, 7, 16, 16, 3, 3, 1, 0));
    shapes.add(new Conv(1, 1, 1, 16, 16, 3, 3, 1, 1));
    shapes.add(new Conv(1, 2, 2, 8, 8, 5, 5, 1, 2));
    shapes.add(new Conv(1, 4, 4, 16, 16, 3, 3, 1, 2));
    shapes.add(new Conv(2, 6, 6, 8, 8, 1, 3, 1, 1));
    shapes.add(new Conv(2, 6, 5, 8, 16, 3, 1, 2, 1));
    shapes.add(new Conv(1, 6, 6, 8, 8, 1, 1, 1, 1));
    shapes.add(new Conv(1, 5, 9, 16, 16, 2, 2, 2, 0));
    windows(shapes);
    groups(shapes);
    return shapes;
  }

  private static void windows(List<Conv> shapes) {
    // Filters of one row or column.
    shapes.add(new Conv(2, 9, 12, 5, 6, 1, 7, 1, new Window(1, 1, 0, 3, 0, 3, 1, 1)));
    shapes.add(new Conv(2, 12, 9, 16, 16, 7, 1, 1, new Window(1, 1, 3, 0, 3, 0, 1, 1)));
    shapes.add(new Conv(1, 8, 16, 16, 32, 7, 1, 1, new Window(1, 1, 3, 0, 3, 0, 1, 1)));
    shapes.add(new Conv(1, 7, 8, 3, 17, 1, 7, 1, new Window(2, 2, 0, 3, 0, 3, 1, 1)));
    // Strides of their own.
    shapes.add(new Conv(2, 7, 8, 4, 5, 3, 3, 1, new Window(1, 2, 1, 1, 1, 1, 1, 1)));
    shapes.add(new Conv(1, 8, 16, 16, 16, 3, 3, 1, new Window(2, 1, 1, 1, 1, 1, 1, 1)));
    shapes.add(new Conv(1, 8, 32, 16, 16, 3, 3, 1, new Window(1, 2, 1, 1, 1, 1, 1, 1)));
    shapes.add(new Conv(1, 9, 16, 8, 3, 3, 3, 1, new Window(3, 1, 1, 1, 1, 1, 1, 1)));
    shapes.add(new Conv(1, 8, 9, 7, 8, 3, 3, 1, new Window(4, 1, 1, 1, 1, 1, 1, 1)));
    // Padding behind only, as TensorFlow pads strides of 2; four sizes; more than the filter meets.
    shapes.add(new Conv(2, 8, 16, 16, 32, 3, 3, 1, new Window(2, 2, 0, 0, 1, 1, 1, 1)));
    shapes.add(new Conv(1, 16, 32, 16, 16, 3, 3, 1, new Window(2, 2, 0, 0, 1, 1, 1, 1)));
    shapes.add(new Conv(1, 32, 32, 3, 16, 3, 3, 1, new Window(2, 2, 0, 0, 1, 1, 1, 1)));
    shapes.add(new Conv(1, 8, 8, 17, 5, 3, 3, 1, new Window(2, 2, 0, 0, 1, 1, 1, 1)));
    shapes.add(new Conv(1, 9, 10, 8, 8, 5, 5, 1, new Window(2, 2, 1, 1, 2, 2, 1, 1)));
    shapes.add(new Conv(2, 6, 7, 5, 8, 3, 3, 1, new Window(1, 1, 0, 1, 2, 3, 1, 1)));
    shapes.add(new Conv(1, 5, 5, 16, 16, 3, 3, 1, new Window(2, 2, 3, 0, 1, 2, 1, 1)));
    shapes.add(new Conv(1, 6, 8, 16, 16, 3, 3, 1, new Window(1, 1, 0, 1, 2, 1, 1, 1)));
    shapes.add(new Conv(1, 3, 3, 4, 8, 3, 3, 1, new Window(1, 1, 4, 5, 3, 6, 1, 1)));
    shapes.add(new Conv(1, 4, 4, 16, 8, 3, 3, 1, new Window(3, 2, 5, 4, 5, 4, 1, 1)));
    // Dilations, beside strides with and without a common divisor.
    shapes.add(new Conv(2, 9, 9, 8, 8, 3, 3, 1, new Window(1, 1, 2, 2, 2, 2, 2, 2)));
    shapes.add(new Conv(1, 10, 11, 5, 7, 3, 3, 1, new Window(1, 1, 0, 3, 0, 3, 1, 3)));
    shapes.add(new Conv(1, 12, 8, 16, 16, 3, 3, 1, new Window(1, 1, 2, 1, 2, 1, 2, 1)));
    shapes.add(new Conv(1, 11, 9, 4, 6, 3, 2, 1, new Window(2, 3, 2, 1, 2, 1, 3, 2)));
    shapes.add(new Conv(1, 9, 9, 6, 6, 2, 2, 1, new Window(4, 4, 1, 1, 1, 1, 2, 2)));
    shapes.add(new Conv(1, 13, 12, 3, 4, 3, 3, 1, new Window(6, 4, 2, 3, 1, 2, 4, 6)));
    shapes.add(new Conv(1, 12, 12, 4, 4, 5, 5, 1, new Window(1, 1, 4, 4, 4, 4, 2, 2)));
    // Last rows and columns, or rows between, that no window covers.
    shapes.add(new Conv(2, 7, 8, 4, 4, 2, 2, 1, new Window(3, 3, 0, 0, 0, 0, 1, 1)));
    shapes.add(new Conv(1, 9, 9, 16, 16, 3, 3, 1, new Window(4, 4, 0, 0, 0, 0, 1, 1)));
    shapes.add(new Conv(1, 6, 6, 8, 8, 1, 1, 1, new Window(5, 1, 0, 0, 0, 0, 1, 1)));
    // Single taps.
    shapes.add(new Conv(2, 5, 6, 8, 8, 1, 1, 1, new Window(2, 1, 1, 0, 0, 1, 1, 1)));
    shapes.add(new Conv(1, 8, 8, 16, 32, 1, 1, 1, new Window(2, 2, 0, 0, 1, 1, 1, 1)));
    shapes.add(new Conv(1, 6, 6, 16, 16, 1, 1, 2, 1));
    // More taps than are kept side by side.
    shapes.add(new Conv(1, 9, 9, 3, 4, 7, 7, 1, new Window(2, 2, 2, 3, 3, 2, 1, 1)));
    shapes.add(new Conv(1, 10, 10, 4, 8, 6, 6, 1, new Window(1, 1, 2, 2, 3, 3, 1, 1)));
  }

  private static void groups(List<Conv> shapes) {
    shapes.add(new Conv(2, 6, 6, 4, 4, 3, 3, 2, new Window(1, 1)));
    shapes.add(new Conv(1, 7, 5, 6, 9, 3, 3, 3, new Window(1, 1)));
    shapes.add(new Conv(2, 5, 5, 32, 32, 3, 3, 2, new Window(1, 1)));
    shapes.add(new Conv(1, 8, 8, 48, 96, 3, 3, 3, new Window(2, 1)));
    shapes.add(new Conv(1, 8, 16, 64, 64, 1, 1, 2, new Window(1, 0)));
    shapes.add(new Conv(1, 4, 4, 80, 160, 3, 3, 2, new Window(1, 1)));
    // One channel of the input a group, with one output or two; and two inputs with one output.
    shapes.add(new Conv(1, 6, 6, 12, 12, 3, 3, 12, new Window(1, 1)));
    shapes.add(new Conv(2, 6, 6, 5, 10, 3, 3, 5, new Window(1, 1)));
    shapes.add(new Conv(1, 7, 7, 32, 64, 3, 3, 32, new Window(2, 1)));
    shapes.add(new Conv(2, 6, 5, 7, 14, 1, 1, 7, new Window(1, 0)));
    shapes.add(new Conv(2, 5, 5, 20, 10, 3, 3, 10, new Window(1, 1)));
    // Four channels, as of ResNeXt, and blocks of lanes that end within a group.
    shapes.add(new Conv(1, 8, 8, 64, 64, 3, 3, 16, new Window(1, 1)));
    shapes.add(new Conv(1, 6, 7, 21, 35, 3, 3, 7, new Window(1, 1)));
    // With windows.
    shapes.add(new Conv(1, 9, 9, 8, 12, 3, 3, 4, new Window(2, 1, 0, 1, 2, 1, 2, 1)));
    shapes.add(new Conv(1, 6, 6, 36, 36, 1, 1, 3, new Window(2, 0)));
    shapes.add(new Conv(1, 7, 8, 6, 6, 1, 7, 2, new Window(1, 1, 0, 3, 0, 3, 1, 1)));
    shapes.add(new Conv(1, 8, 16, 32, 64, 3, 3, 2, new Window(2, 2, 0, 0, 1, 1, 1, 1)));
    shapes.add(new Conv(1, 11, 9, 6, 12, 3, 2, 3, new Window(2, 3, 2, 1, 2, 1, 3, 2)));
    shapes.add(new Conv(1, 9, 9, 4, 4, 2, 2, 2, new Window(4, 0)));
    shapes.add(new Conv(1, 9, 9, 8, 16, 7, 7, 8, new Window(1, 3)));
    shapes.add(new Conv(1, 14, 14, 34, 40, 9, 9, 2, new Window(1, 4)));
  }

  private void convolutions() {
    for (Conv conv : shapes()) {
      for (boolean bias : new boolean[] {false, true}) {
        String name = begin("Conv2d " + conv + (bias ? " bias" : ""));
        double deviation = 1 / Math.sqrt(conv.r * conv.s * conv.c / conv.groups);
        Tensor x = normal(conv.x());
        Tensor weight = normal(deviation, conv.weight().shape().sizes());
        Op op = conv.op();
        if (bias) {
          end(name, op, PRODUCTS, x, weight, normal(f32(conv.k)));
        } else {
          end(name, op, PRODUCTS, x, weight);
        }
      }
    }
  }

  private void dataGradients() {
    for (Conv conv : shapes()) {
      for (boolean accumulates : new boolean[] {false, true}) {
        String name = begin("Conv2dDataGrad " + conv + (accumulates ? " accumulate" : ""));
        double deviation = 1 / Math.sqrt(conv.r * conv.s * conv.k / conv.groups);
        Tensor dy = normal(conv.y());
        Tensor weight = normal(deviation, conv.weight().shape().sizes());
        Op op = new Convolution.Conv2dDataGrad(conv.op(), conv.x(), accumulates);
        if (accumulates) {
          end(name, op, PRODUCTS, dy, weight, normal(conv.x()));
        } else {
          end(name, op, PRODUCTS, dy, weight);
        }
      }
    }
  }

  private void weightGradients() {
    for (Conv conv : shapes()) {
      String name = begin("Conv2dWeightGrad " + conv);
      Shape y = conv.y().shape();
      double deviation = 1 / Math.sqrt(y.elements() / (double) conv.k);
      end(
          name,
          new Convolution.Conv2dWeightGrad(conv.op(), conv.weight()),
          PRODUCTS,
          normal(deviation, y.sizes()),
          normal(conv.x()));
    }
  }

  private record Depthwise(int n, int h, int w, int c, int r, int s, Window window) {
    Depthwise(int n, int h, int w, int c, int r, int s, int stride, int pad) {
      this(n, h, w, c, r, s, new Window(stride, pad));
    }

    Convolution.DepthwiseConv2d op() {
      return new Convolution.DepthwiseConv2d(window);
    }

    TensorType x() {
      return f32(n, h, w, c);
    }

    TensorType weight() {
      return f32(c, r, s, 1);
    }

    TensorType y() {
      return op().outputs(List.of(x(), weight())).getFirst();
    }

    @Override
    public String toString() {
      return "[%d,%d,%d,%d] %dx%d %s".formatted(n, h, w, c, r, s, text(window));
    }
  }

  private static List<Depthwise> depthwiseShapes() {
    List<Depthwise> shapes = new ArrayList<>();
    // Channel counts around the vector widths.
    for (int c : new int[] {1, 3, 4, 7, 8, 12, 16, 17, 33, 64, 100, 136}) {
      shapes.add(new Depthwise(2, 5, 5, c, 3, 3, 1, 1));
      shapes.add(new Depthwise(1, 8, 9, c, 3, 3, 2, 1));
      shapes.add(new Depthwise(1, 6, 7, c, 5, 5, 1, 2));
      shapes.add(new Depthwise(2, 7, 6, c, 1, 1, 1, 0));
    }
    // Those of the MobileNets, at fewer channels where the image is large.
    shapes.add(new Depthwise(1, 32, 32, 32, 3, 3, 1, 1));
    shapes.add(new Depthwise(1, 28, 28, 24, 3, 3, 2, 1));
    shapes.add(new Depthwise(2, 14, 14, 96, 3, 3, 1, 1));
    shapes.add(new Depthwise(3, 7, 7, 160, 3, 3, 1, 1));
    shapes.add(new Depthwise(2, 14, 14, 72, 5, 5, 2, 2));
    // Rows of every remainder of a block of columns.
    for (int w = 9; w < 18; w++) {
      shapes.add(new Depthwise(1, 3, w, 20, 3, 3, 1, 1));
      shapes.add(new Depthwise(1, 3, 2 * w, 8, 3, 3, 2, 1));
    }
    // Other kernels, strides and paddings; an image smaller than the kernel; windows of nothing but
    // padding; strides that skip columns; no padding at all.
    shapes.add(new Depthwise(1, 9, 9, 16, 5, 5, 2, 2));
    shapes.add(new Depthwise(2, 5, 5, 8, 5, 5, 1, 0));
    shapes.add(new Depthwise(1, 6, 11, 4, 3, 3, 3, 1));
    shapes.add(new Depthwise(2, 7, 7, 16, 3, 3, 1, 0));
    shapes.add(new Depthwise(1, 1, 1, 16, 3, 3, 1, 1));
    shapes.add(new Depthwise(1, 1, 1, 5, 3, 3, 2, 1));
    shapes.add(new Depthwise(1, 2, 2, 8, 5, 5, 1, 2));
    shapes.add(new Depthwise(1, 4, 4, 16, 3, 3, 1, 2));
    shapes.add(new Depthwise(1, 4, 5, 12, 3, 3, 2, 4));
    shapes.add(new Depthwise(2, 6, 6, 8, 1, 3, 1, 1));
    shapes.add(new Depthwise(2, 6, 5, 8, 3, 1, 2, 1));
    shapes.add(new Depthwise(1, 6, 6, 8, 1, 1, 1, 1));
    shapes.add(new Depthwise(1, 9, 7, 6, 1, 1, 3, 0));
    shapes.add(new Depthwise(1, 5, 9, 16, 2, 2, 2, 0));
    shapes.add(new Depthwise(1, 8, 8, 20, 4, 4, 1, 1));
    shapes.add(new Depthwise(1, 11, 10, 12, 7, 7, 2, 3));
    // Windows as of the other convolutions.
    shapes.add(new Depthwise(2, 9, 12, 17, 1, 7, new Window(1, 1, 0, 3, 0, 3, 1, 1)));
    shapes.add(new Depthwise(1, 9, 9, 16, 7, 1, new Window(1, 1, 3, 0, 3, 0, 1, 1)));
    shapes.add(new Depthwise(2, 7, 8, 20, 3, 3, new Window(1, 2, 1, 1, 1, 1, 1, 1)));
    shapes.add(new Depthwise(1, 8, 9, 12, 3, 3, new Window(2, 1, 1, 1, 1, 1, 1, 1)));
    shapes.add(new Depthwise(2, 6, 7, 33, 3, 3, new Window(1, 1, 0, 1, 2, 3, 1, 1)));
    shapes.add(new Depthwise(1, 5, 5, 16, 3, 3, new Window(2, 2, 3, 0, 1, 2, 1, 1)));
    shapes.add(new Depthwise(2, 8, 16, 32, 3, 3, new Window(2, 2, 0, 0, 1, 1, 1, 1)));
    shapes.add(new Depthwise(1, 10, 9, 7, 5, 5, new Window(2, 2, 1, 1, 2, 2, 1, 1)));
    shapes.add(new Depthwise(1, 3, 3, 4, 3, 3, new Window(1, 1, 4, 5, 3, 6, 1, 1)));
    shapes.add(new Depthwise(2, 9, 9, 24, 3, 3, new Window(1, 1, 2, 2, 2, 2, 2, 2)));
    shapes.add(new Depthwise(1, 10, 11, 8, 3, 3, new Window(1, 1, 0, 3, 0, 3, 1, 3)));
    shapes.add(new Depthwise(1, 12, 8, 16, 3, 3, new Window(1, 1, 2, 1, 2, 1, 2, 1)));
    shapes.add(new Depthwise(1, 11, 9, 4, 3, 2, new Window(2, 3, 2, 1, 2, 1, 3, 2)));
    shapes.add(new Depthwise(1, 9, 9, 6, 2, 2, new Window(4, 4, 1, 1, 1, 1, 2, 2)));
    shapes.add(new Depthwise(1, 13, 12, 5, 3, 3, new Window(6, 4, 2, 3, 1, 2, 4, 6)));
    shapes.add(new Depthwise(1, 9, 9, 16, 3, 3, new Window(4, 4, 0, 0, 0, 0, 1, 1)));
    shapes.add(new Depthwise(1, 8, 8, 16, 1, 1, new Window(2, 1, 1, 0, 0, 1, 1, 1)));
    return shapes;
  }

  private void depthwise() {
    for (Depthwise conv : depthwiseShapes()) {
      String name = begin("DepthwiseConv2d " + conv);
      double deviation = 1 / Math.sqrt(conv.r * conv.s);
      Tensor x = normal(conv.x());
      Tensor weight = normal(deviation, conv.weight().shape().sizes());
      end(name, conv.op(), PRODUCTS, x, weight);
      end(name + " bias", conv.op(), PRODUCTS, x, weight, normal(f32(conv.c)));
    }
  }

  private void depthwiseDataGradients() {
    for (Depthwise conv : depthwiseShapes()) {
      for (boolean accumulates : new boolean[] {false, true}) {
        String name = begin("DepthwiseConv2dDataGrad " + conv + (accumulates ? " accumulate" : ""));
        double deviation = 1 / Math.sqrt(conv.r * conv.s);
        Tensor dy = normal(conv.y());
        Tensor weight = normal(deviation, conv.weight().shape().sizes());
        Op op = new Convolution.DepthwiseConv2dDataGrad(conv.op(), conv.x(), accumulates);
        if (accumulates) {
          end(name, op, PRODUCTS, dy, weight, normal(conv.x()));
        } else {
          end(name, op, PRODUCTS, dy, weight);
        }
      }
    }
  }

  private void depthwiseWeightGradients() {
    for (Depthwise conv : depthwiseShapes()) {
      String name = begin("DepthwiseConv2dWeightGrad " + conv);
      Shape y = conv.y().shape();
      double deviation = 1 / Math.sqrt(y.elements() / (double) conv.c);
      end(
          name,
          new Convolution.DepthwiseConv2dWeightGrad(conv.op(), conv.weight()),
          PRODUCTS,
          normal(deviation, y.sizes()),
          normal(conv.x()));
    }
  }

  /**
   * [n, h, w, c]: every odd channel count, one row, and more rows than one block of a reduction
   * holds.
   */
  private static List<long[]> images() {
    List<long[]> shapes = new ArrayList<>();
    for (int c : new int[] {1, 3, 4, 5, 7, 8, 10, 16, 17, 32, 64}) {
      shapes.add(new long[] {2, 5, 5, c});
    }
    shapes.add(new long[] {1, 1, 1, 16});
    shapes.add(new long[] {1, 1, 2, 3});
    shapes.add(new long[] {17, 32, 32, 16});
    shapes.add(new long[] {5, 16, 16, 33});
    shapes.add(new long[] {3, 8, 8, 64});
    return shapes;
  }

  private static String text(long[] sizes) {
    return Arrays.toString(sizes).replace(" ", "");
  }

  private static long product(long[] sizes) {
    return Shape.of(sizes).elements();
  }

  private void channelSums() {
    for (long[] shape : images()) {
      String name = begin("ChannelSum " + text(shape));
      double deviation = 1 / Math.sqrt(product(shape) / (double) shape[3]);
      end(name, new Norm.ChannelSum(), PRODUCTS, normal(deviation, shape));
    }
  }

  // ---- batch normalisation ----

  private void statistics() {
    for (long[] shape : images()) {
      for (double offset : new double[] {0, 30}) {
        String name = begin("BnStats " + text(shape) + " around " + offset);
        // A mean far from 0 drowns a variance that is not centred.
        end(
            name,
            new Norm.BnStats(),
            PRODUCTS,
            Tensor.fill(f32(shape), () -> offset + random.nextGaussian()));
      }
    }
  }

  private static List<Set<Integer>> subsets(List<Set<Integer>> optional, int always) {
    List<Set<Integer>> subsets = new ArrayList<>();
    for (int bits = 0; bits < 1 << optional.size(); bits++) {
      Set<Integer> subset = new TreeSet<>(Set.of(always));
      for (int i = 0; i < optional.size(); i++) {
        if ((bits >> i & 1) == 1) {
          subset.addAll(optional.get(i));
        }
      }
      subsets.add(subset);
    }
    return subsets;
  }

  private void batchNorms() {
    Set<Integer> statistics = Set.of(Norm.BnAct.BATCH_MEAN, Norm.BnAct.BATCH_VARIANCE);
    List<Set<Integer>> subsets =
        subsets(
            List.of(Set.of(Norm.BnAct.MASK), statistics, Set.of(Norm.BnAct.ATTENTION)),
            Norm.BnAct.Y);
    int turn = 0;
    List<long[]> shapes = images();
    for (boolean affine : new boolean[] {false, true}) {
      for (boolean residual : new boolean[] {false, true}) {
        for (int bits : new int[] {0, 2, 4, 8}) {
          for (float[] activation :
              new float[][] {{0, UNBOUNDED}, {0, .8f}, {.2f, UNBOUNDED}, {1, UNBOUNDED}}) {
            for (Set<Integer> wanted : subsets) {
              // Every combination of options once, on shapes in turn.
              batchNorm(
                  new Norm.BnAct(
                      affine, residual, bits, activation[0], activation[1], 1e-5f, false),
                  shapes.get(turn++ % 12),
                  wanted);
            }
          }
        }
      }
    }
    Set<Integer> everything = subsets.getLast();
    for (long[] shape : shapes) {
      batchNorm(new Norm.BnAct(true, true, 3, 0, 1e-5f, false), shape, everything);
      batchNorm(new Norm.BnAct(true, false, 4, 0, 1.5f, 1e-5f, false), shape, everything);
      for (float ceiling : new float[] {UNBOUNDED, .9f}) {
        Norm.BnAct inRange =
            new Norm.BnAct(true, true, 4, StraightThrough.IN_RANGE, 0, ceiling, 1e-5f, false);
        batchNorm(inRange, shape, everything);
      }
      batchNorm(new Norm.BnAct(true, false, 0, 0, .6f, 1e-5f, true), shape, Set.of(Norm.BnAct.Y));
      batchNorm(new Norm.BnAct(true, false, 0, .2f, .8f, true), shape, everything);
      batchNorm(new Norm.BnAct(true, true, 5, 0, 1e-5f, true), shape, Set.of(Norm.BnAct.Y));
      batchNorm(new Norm.BnAct(true, false, 0, 1, 1e-5f, false), shape, Set.of(Norm.BnAct.Y));
    }
  }

  private void batchNorm(Norm.BnAct op, long[] shape, Set<Integer> wanted) {
    String name =
        begin(
            "BnAct %s%s%s to %s"
                .formatted(text(shape), options(op), op.training() ? " training" : "", wanted));
    long c = shape[3];
    List<Tensor> inputs = new ArrayList<>();
    inputs.add(normal(f32(shape)));
    inputs.add(normal(.3, c));
    inputs.add(uniform(.5, 2, c));
    if (op.affine()) {
      inputs.add(uniform(-1, 1.5, c));
      inputs.add(normal(.3, c));
    }
    if (op.residual()) {
      inputs.add(normal(f32(shape)));
    }
    if (op.bits() > 0) {
      // Narrower than the values: some are clamped.
      inputs.add(Tensor.of(f32(2), op.slope() == 0 ? 0 : (float) -1.3, (float) 1.7));
    }
    end(name, op, PRODUCTS, wanted, inputs.toArray(Tensor[]::new));
  }

  private static String options(Norm.BnAct op) {
    return "%s%s bits %d slope %s%s"
            .formatted(
                op.affine() ? " affine" : "",
                op.residual() ? " residual" : "",
                op.bits(),
                op.slope(),
                op.ceiling() == UNBOUNDED ? "" : " ceiling " + op.ceiling())
        + (op.straightThrough() == StraightThrough.IN_RANGE ? " in range" : "");
  }

  private void batchNormGradients() {
    List<Set<Integer>> subsets =
        subsets(
            List.of(
                Set.of(Norm.BnActGrad.DRESIDUAL),
                Set.of(Norm.BnActGrad.DGAMMA, Norm.BnActGrad.DBETA)),
            Norm.BnActGrad.DU);
    int turn = 0;
    List<long[]> shapes = images();
    for (boolean affine : new boolean[] {false, true}) {
      for (boolean training : new boolean[] {false, true}) {
        for (float slope : new float[] {0, .2f, 1}) {
          for (boolean attention : new boolean[] {false, true}) {
            for (boolean statistics : new boolean[] {false, true}) {
              for (Set<Integer> wanted : subsets) {
                Norm.BnAct forward =
                    new Norm.BnAct(
                        affine,
                        wanted.contains(Norm.BnActGrad.DRESIDUAL),
                        0,
                        slope,
                        1e-5f,
                        training);
                for (boolean mask :
                    slope == 1 ? new boolean[] {false, true} : new boolean[] {true}) {
                  batchNormGradient(
                      new Norm.BnActGrad(forward, mask, attention, statistics),
                      shapes.get(turn++ % 12),
                      wanted);
                }
              }
            }
          }
        }
      }
    }
    for (long[] shape : shapes) {
      Norm.BnAct evaluation = new Norm.BnAct(true, true, 4, 0, 1e-5f, false);
      batchNormGradient(new Norm.BnActGrad(evaluation, true, true, true), shape, subsets.getLast());
      Norm.BnAct training = new Norm.BnAct(true, false, 0, .2f, .8f, true);
      batchNormGradient(new Norm.BnActGrad(training, true, false, false), shape, subsets.get(2));
    }
  }

  private void batchNormGradient(Norm.BnActGrad op, long[] shape, Set<Integer> wanted) {
    Norm.BnAct forward = op.forward();
    String name =
        begin(
            "BnActGrad %s%s%s%s%s%s to %s"
                .formatted(
                    text(shape),
                    options(forward),
                    forward.training() ? " training" : "",
                    op.mask() ? " mask" : "",
                    op.attention() ? " attention" : "",
                    op.statistics() ? " statistics" : "",
                    wanted));
    long n = shape[0];
    long c = shape[3];
    double rows = product(shape) / (double) c;
    List<Tensor> inputs = new ArrayList<>();
    Tensor u = normal(f32(shape));
    // So small that the sums over rows come out at about 1.
    inputs.add(normal(1 / Math.sqrt(rows), shape));
    inputs.add(u);
    if (forward.training() && rows > 1) {
      inputs.addAll(
          Oracle.evaluate(new Norm.BnStats(), List.of(u)).stream()
              .map(exact -> Tensor.floats(exact.floats(), c))
              .toList());
    } else {
      inputs.add(normal(.3, c));
      inputs.add(uniform(.5, 2, c));
    }
    if (forward.affine()) {
      inputs.add(uniform(-1, 1.5, c));
      inputs.add(normal(.3, c));
    }
    if (op.mask()) {
      inputs.add(Tensor.fill(new TensorType(DType.U8, Shape.of(shape)), () -> random.nextInt(2)));
    }
    if (op.attention()) {
      inputs.add(normal(1 / Math.sqrt(rows), n, c));
    }
    if (op.statistics()) {
      inputs.add(normal(1 / Math.sqrt(rows), 2, c));
      inputs.add(normal(.3, c));
    }
    end(name, op, PRODUCTS, wanted, inputs.toArray(Tensor[]::new));
  }

  private void runningSteps() {
    for (long c : new long[] {1, 3, 16, 17, 64}) {
      String name = begin("BnRunningStep " + c);
      end(
          name,
          new Norm.BnRunningStep(.1f, 50),
          ROUNDINGS,
          normal(1, c),
          uniform(.5, 2, c),
          normal(1, c),
          uniform(.5, 2, c));
    }
  }

  private void statisticLosses() {
    for (long c : new long[] {1, 3, 16, 17, 64}) {
      for (boolean accumulates : new boolean[] {false, true}) {
        String name = begin("BnStatsLoss " + c + (accumulates ? " accumulate" : ""));
        List<Tensor> inputs =
            new ArrayList<>(
                List.of(normal(1, c), uniform(.5, 2, c), normal(1, c), uniform(.5, 2, c)));
        if (accumulates) {
          inputs.add(normal(1, 1));
        }
        end(
            name,
            new Loss.BnStatsLoss(4, .5f, accumulates),
            ROUNDINGS,
            inputs.toArray(Tensor[]::new));
      }
    }
  }

  // ---- quantisers ----

  private void fakeQuants() {
    float[][] ranges = {
      {0, 3.3f}, {-1.25f, 2.5f}, {.5f, 2}, {-3, -1}, {0, 0}, {.25f, .25f}, {-1e-9f, 1e-9f}
    };
    for (int bits = 2; bits <= 8; bits++) {
      for (float[] range : ranges) {
        String name = begin("FakeQuant bits %d range %s".formatted(bits, Arrays.toString(range)));
        // Far beyond the range, and near the ties of its grid.
        Tensor x =
            Tensor.fill(
                f32(3, 5, 7, 5),
                () ->
                    random.nextInt(8) == 0
                        ? random.nextInt(-30, 30) * .125
                        : 3 * random.nextGaussian());
        end(
            name,
            new Quantization.FakeQuant(bits),
            EXACT,
            x,
            Tensor.of(f32(2), range[0], range[1]));
      }
    }
    String name = begin("FakeQuant long");
    end(
        name,
        new Quantization.FakeQuant(4),
        EXACT,
        normal(f32(40_001)),
        Tensor.of(f32(2), (float) -1.7, (float) 2.9));
  }

  private void fakeQuantGradients() {
    for (int bits : new int[] {2, 4, 8}) {
      for (float[] range : new float[][] {{0, 3.3f}, {-1.25f, 2.5f}, {-3, -1}, {.25f, .25f}}) {
        for (long n : new long[] {1, 7, 16, 40_001}) {
          String name =
              begin("FakeQuantGrad %d bits %d range %s".formatted(n, bits, Arrays.toString(range)));
          // Many at the very ends of the range, where rounding decides what is clamped.
          double step = (range[1] - range[0]) / (1 << bits) / 4;
          Tensor x =
              Tensor.fill(
                  f32(n),
                  () ->
                      random.nextInt(2) == 0
                          ? range[random.nextInt(2)] + random.nextInt(-8, 8) * step
                          : 3 * random.nextGaussian());
          end(
              name,
              new Quantization.FakeQuantGrad(
                  new Quantization.FakeQuant(bits, StraightThrough.IN_RANGE)),
              EXACT,
              normal(f32(n)),
              x,
              Tensor.of(f32(2), range[0], range[1]));
        }
      }
    }
  }

  private void channelFakeQuants() {
    long[][] shapes = {
      {6, 3, 3, 3}, {1, 1, 1, 1}, {5, 7}, {10, 64}, {16, 3, 3, 16}, {64, 3, 3, 64}, {7, 1, 1, 5}
    };
    for (long[] shape : shapes) {
      for (int bits : new int[] {2, 3, 4, 5, 8}) {
        String name = begin("FakeQuantChannel %s bits %d".formatted(text(shape), bits));
        Tensor weight = normal(f32(shape));
        int columns = weight.count() / weight.size(0);
        // Channels that are constant, all zero, and all positive.
        for (int i = 0; i < columns && weight.size(0) > 4; i++) {
          weight.values()[i] = .25;
          weight.values()[columns + i] = 0;
          weight.values()[2 * columns + i] = Math.abs(weight.values()[2 * columns + i]) + 1;
        }
        end(name, new Quantization.FakeQuantChannel(bits), EXACT, weight);
      }
    }
  }

  private void minMaxes() {
    for (long n : new long[] {1, 2, 7, 16, 17, 1000, 40_001}) {
      String name = begin("MinMax " + n);
      end(name, new Quantization.MinMax(), EXACT, normal(f32(n)));
    }
    String name = begin("MinMax at the ends");
    Tensor x = normal(f32(20_000));
    x.values()[0] = -9;
    x.values()[19_999] = 9;
    end(name, new Quantization.MinMax(), EXACT, x);
  }

  private void rangeTracks() {
    for (RangeRule rule : RangeRule.values()) {
      for (double t : new double[] {1, .9, .5, 1e-5}) {
        String name = begin("RangeTrackStep " + rule + " t " + t);
        Tensor state =
            Tensor.of(f32(3), t == 1 ? 0 : (float) -.7, t == 1 ? 0 : (float) 1.9, (float) t);
        end(
            name,
            new Quantization.RangeTrackStep(.9f, rule),
            ROUNDINGS * 4,
            normal(1, 2),
            state,
            Tensor.of(f32(2), (float) -.3, (float) 2.2));
      }
    }
  }

  // ---- layers ----

  /** {n, inputs, outputs}. */
  private static final int[][] MATRICES = {
    {1, 1, 1},
    {1, 64, 10},
    {64, 64, 10},
    {5, 7, 3},
    {3, 5, 17},
    {16, 100, 130},
    {17, 33, 16},
    {2, 300, 1},
    {16, 9, 1000},
    {19, 131, 257}
  };

  private static final long[] ROWS = {1, 3, 64};

  private void linears() {
    for (int[] m : MATRICES) {
      for (boolean bias : new boolean[] {false, true}) {
        String name = begin("Linear " + Arrays.toString(m) + (bias ? " bias" : ""));
        Tensor x = normal(1, m[0], m[1]);
        Tensor weight = normal(1 / Math.sqrt(m[1]), m[2], m[1]);
        if (bias) {
          end(name, new Convolution.Linear(), PRODUCTS, x, weight, normal(1, m[2]));
        } else {
          end(name, new Convolution.Linear(), PRODUCTS, x, weight);
        }
      }
    }
  }

  private void linearDataGradients() {
    for (int[] m : MATRICES) {
      String name = begin("LinearDataGrad " + Arrays.toString(m));
      end(
          name,
          new Convolution.LinearDataGrad(),
          PRODUCTS,
          normal(1, m[0], m[2]),
          normal(1 / Math.sqrt(m[2]), m[2], m[1]));
    }
  }

  private void linearWeightGradients() {
    for (int[] m : MATRICES) {
      for (Set<Integer> wanted : List.of(Set.of(0), Set.of(0, 1))) {
        String name =
            begin("LinearWeightGrad " + Arrays.toString(m) + " to " + new TreeSet<>(wanted));
        end(
            name,
            new Convolution.LinearWeightGrad(),
            PRODUCTS,
            wanted,
            normal(1 / Math.sqrt(m[0]), m[0], m[2]),
            normal(1, m[0], m[1]));
      }
    }
  }

  private void pools() {
    for (long[] shape : images()) {
      String name = begin("GlobalAvgPool " + text(shape));
      end(name, new Pooling.GlobalAvgPool(), ROUNDINGS, normal(f32(shape)));
    }
  }

  private void poolGradients() {
    for (long[] shape : images()) {
      String name = begin("GlobalAvgPoolGrad " + text(shape));
      end(
          name,
          new Pooling.GlobalAvgPoolGrad(f32(shape)),
          ROUNDINGS,
          normal(1, shape[0], shape[3]));
    }
  }

  private record PoolingCase(int n, int h, int w, int c, Pooling.MaxPool op) {
    static PoolingCase of(int n, int h, int w, int c, int size, int stride, int pad) {
      return of(n, h, w, c, size, size, new Window(stride, pad));
    }

    static PoolingCase of(int n, int h, int w, int c, int r, int s, Window window) {
      return new PoolingCase(n, h, w, c, new Pooling.MaxPool(r, s, window));
    }

    TensorType x() {
      return f32(n, h, w, c);
    }

    @Override
    public String toString() {
      return "[%d,%d,%d,%d] %dx%d %s".formatted(n, h, w, c, op.r(), op.s(), text(op.window()));
    }
  }

  /**
   * The pooling of the ImageNet ResNets on even and odd sizes; overlapping, touching and separate
   * squares; squares that reach over both edges; the largest square there can be. The same with
   * padding below and on the right alone; windows that are different along the axes, in size, in
   * stride and in padding at every side, the largest among them; the whole image.
   */
  private static final List<PoolingCase> POOLINGS =
      List.of(
          PoolingCase.of(2, 16, 16, 64, 3, 2, 1),
          PoolingCase.of(1, 7, 9, 17, 3, 2, 1),
          PoolingCase.of(3, 5, 4, 1, 3, 2, 1),
          PoolingCase.of(1, 112, 112, 3, 3, 2, 1),
          PoolingCase.of(2, 1, 1, 5, 3, 2, 1),
          PoolingCase.of(2, 6, 5, 8, 3, 1, 1),
          PoolingCase.of(1, 8, 6, 33, 2, 2, 0),
          PoolingCase.of(1, 9, 11, 4, 2, 3, 0),
          PoolingCase.of(2, 7, 7, 3, 5, 2, 2),
          PoolingCase.of(1, 2, 3, 7, 4, 3, 3),
          PoolingCase.of(1, 4, 4, 5, 1, 1, 0),
          PoolingCase.of(1, 20, 17, 2, 16, 1, 4),
          PoolingCase.of(2, 15, 16, 8, 3, 3, new Window(2, 2, 0, 0, 1, 1, 1, 1)),
          PoolingCase.of(1, 7, 7, 4, 2, 2, new Window(2, 2, 0, 0, 1, 1, 1, 1)),
          PoolingCase.of(1, 9, 8, 16, 3, 3, new Window(2, 2, 2, 1, 0, 2, 1, 1)),
          PoolingCase.of(2, 6, 7, 4, 3, 3, new Window(2, 1, 1, 1, 1, 1, 1, 1)),
          PoolingCase.of(2, 5, 9, 12, 1, 3, new Window(1, 2, 0, 1, 0, 1, 1, 1)),
          PoolingCase.of(1, 9, 4, 5, 5, 2, new Window(3, 1, 4, 0, 1, 1, 1, 1)),
          PoolingCase.of(1, 6, 10, 3, 2, 4, new Window(1, 3, 1, 3, 0, 2, 1, 1)),
          PoolingCase.of(2, 8, 9, 4, 1, 2, new Window(2, 3, 0, 0, 0, 1, 1, 1)),
          PoolingCase.of(1, 4, 140, 2, 2, 128, new Window(1, 5, 1, 100, 1, 127, 1, 1)),
          PoolingCase.of(2, 3, 7, 6, 3, 7, new Window(1, 0)));

  private void pixelSums() {
    for (long[] shape : images()) {
      double deviation = 1 / Math.sqrt(shape[1] * shape[2]);
      String name = begin("PixelSum " + text(shape));
      end(name, new Pooling.PixelSum(), PRODUCTS, normal(deviation, shape));
      name = begin("PixelSum " + text(shape) + " of products");
      end(name, new Pooling.PixelSum(), PRODUCTS, normal(deviation, shape), normal(f32(shape)));
    }
  }

  private static List<Pooling.AveragePool> averages(Pooling.MaxPool op) {
    return Stream.of(false, true)
        .map(all -> new Pooling.AveragePool(op.r(), op.s(), op.window(), all))
        .toList();
  }

  private void averagePools() {
    for (PoolingCase pooling : POOLINGS) {
      for (Pooling.AveragePool op : averages(pooling.op)) {
        String name =
            begin("AveragePool " + pooling + (op.countIncludePad() ? " with padding" : ""));
        end(name, op, ROUNDINGS, normal(pooling.x()));
      }
    }
  }

  private void averagePoolGradients() {
    for (PoolingCase pooling : POOLINGS) {
      for (Pooling.AveragePool op : averages(pooling.op)) {
        String name =
            begin("AveragePoolGrad " + pooling + (op.countIncludePad() ? " with padding" : ""));
        end(
            name,
            new Pooling.AveragePoolGrad(op, pooling.x()),
            ROUNDINGS,
            normal(op.outputs(List.of(pooling.x())).getFirst()));
      }
    }
  }

  /** Channels of the inputs, around the widths of vectors and in the places where they begin. */
  private static final int[][] CONCATENATED = {
    {1, 1},
    {4, 4},
    {3, 5},
    {5, 3, 4},
    {16, 16},
    {4, 8, 12, 16},
    {17, 3, 64},
    {64, 32},
    {32, 6},
    {300, 20}
  };

  private void concatenations() {
    for (int[] channels : CONCATENATED) {
      for (long[] rows : new long[][] {{2, 5, 5}, {1, 1, 1}, {37}}) {
        String name = begin("Concat %s of %s".formatted(Arrays.toString(channels), text(rows)));
        Tensor[] inputs =
            Arrays.stream(channels)
                .mapToObj(c -> normal(f32(plus(rows, c))))
                .toArray(Tensor[]::new);
        end(name, new Pooling.Concat(), EXACT, inputs);
      }
    }
  }

  private static long[] plus(long[] sizes, long last) {
    long[] all = Arrays.copyOf(sizes, sizes.length + 1);
    all[sizes.length] = last;
    return all;
  }

  /** {channels, begin, end}. */
  private static final int[][] SLICES = {
    {1, 0, 1},
    {2, 1, 2},
    {8, 4, 8},
    {8, 0, 4},
    {16, 3, 9},
    {17, 4, 16},
    {17, 0, 17},
    {64, 32, 64},
    {300, 8, 288},
    {12, 4, 7}
  };

  private void slices() {
    for (int[] s : SLICES) {
      for (long[] rows : new long[][] {{2, 5, 5}, {1, 1, 1}, {37}}) {
        String name = begin("Slice %s of %s".formatted(Arrays.toString(s), text(rows)));
        end(name, new Pooling.Slice(s[1], s[2]), EXACT, normal(f32(plus(rows, s[0]))));
      }
    }
  }

  private void sliceGradients() {
    for (int[] s : SLICES) {
      for (long[] rows : new long[][] {{2, 5, 5}, {1, 1, 1}, {37}}) {
        String name = begin("SliceGrad %s of %s".formatted(Arrays.toString(s), text(rows)));
        end(
            name,
            new Pooling.SliceGrad(new Pooling.Slice(s[1], s[2]), f32(plus(rows, s[0]))),
            EXACT,
            normal(f32(plus(rows, s[2] - s[1]))));
      }
    }
  }

  private void shuffles() {
    // {channels, groups}: few groups of many and many of few, and neither.
    int[][] shuffles = {
      {1, 1},
      {4, 2},
      {6, 3},
      {6, 2},
      {5, 1},
      {5, 5},
      {116, 2},
      {116, 58},
      {240, 3},
      {240, 80},
      {400, 20},
      {1155, 35}
    };
    for (int[] s : shuffles) {
      for (long[] rows : new long[][] {{2, 5, 5}, {1, 1, 1}}) {
        String name = begin("ChannelShuffle %s of %s".formatted(Arrays.toString(s), text(rows)));
        end(name, new Pooling.ChannelShuffle(s[1]), EXACT, normal(f32(plus(rows, s[0]))));
      }
    }
  }

  /** Images of both kinds of transposition, with the edges of its tiles. */
  private static List<long[]> flattened() {
    List<long[]> shapes = new ArrayList<>(images());
    shapes.addAll(
        List.of(
            new long[] {2, 7, 7, 64},
            new long[] {3, 1, 33, 40},
            new long[] {1, 8, 8, 9},
            new long[] {2, 3, 3, 70}));
    return shapes;
  }

  private void flattenings() {
    for (long[] shape : flattened()) {
      String name = begin("Flatten " + text(shape));
      end(name, new Pooling.Flatten(), EXACT, normal(f32(shape)));
    }
  }

  private void flatteningGradients() {
    for (long[] shape : flattened()) {
      String name = begin("FlattenGrad " + text(shape));
      end(
          name,
          new Pooling.FlattenGrad(f32(shape)),
          EXACT,
          normal(f32(shape[0], shape[1] * shape[2] * shape[3])));
    }
  }

  private void maxPools() {
    for (PoolingCase pooling : POOLINGS) {
      String name = begin("MaxPool " + pooling);
      end(name, pooling.op, EXACT, normal(pooling.x()));
      name = begin("MaxPool " + pooling + " ties");
      // Few different values, 0 among them with both signs: the first of equal ones wins.
      end(name, pooling.op, EXACT, Tensor.fill(pooling.x(), () -> random.nextInt(3) * -.5));
    }
  }

  private void maxPoolGradients() {
    for (PoolingCase pooling : POOLINGS) {
      String name = begin("MaxPoolGrad " + pooling);
      List<Tensor> forward =
          Oracle.evaluate(pooling.op, List.of(Tensor.fill(pooling.x(), () -> random.nextInt(5))));
      end(
          name,
          new Pooling.MaxPoolGrad(pooling.op, pooling.x()),
          ROUNDINGS,
          normal(forward.get(Pooling.MaxPool.Y).type()),
          forward.get(Pooling.MaxPool.INDEX));
    }
  }

  private void upsamples() {
    for (long[] shape : images()) {
      String name = begin("Upsample " + text(shape));
      end(name, new Pooling.Upsample(), EXACT, normal(f32(shape)));
    }
  }

  private void upsampleGradients() {
    for (long[] shape : images()) {
      String name = begin("UpsampleGrad " + text(shape));
      end(
          name,
          new Pooling.UpsampleGrad(f32(shape)),
          ROUNDINGS,
          normal(1, shape[0], 2 * shape[1], 2 * shape[2], shape[3]));
    }
  }

  private void embeddings() {
    for (long d : new long[] {1, 4, 17, 100}) {
      for (long n : ROWS) {
        String name = begin("Embedding %d x %d".formatted(n, d));
        end(
            name,
            new Elementwise.Embedding(),
            ROUNDINGS,
            normal(1, 10, d),
            normal(1, n, d),
            integers(10, n));
      }
    }
  }

  private void embeddingGradients() {
    for (long d : new long[] {1, 4, 17, 100}) {
      for (long n : ROWS) {
        // Rows that no label names must still be written, as zeros: more classes than samples.
        String name = begin("EmbeddingGrad %d x %d".formatted(n, d));
        end(
            name,
            new Elementwise.EmbeddingGrad(f32(7, d)),
            PRODUCTS,
            normal(1, n, d),
            normal(1, n, d),
            integers(7, n));
      }
    }
  }

  /** {n, h, w, c, channels out, stride}. */
  private static final int[][] SHORTCUTS = {
    {2, 8, 8, 16, 32, 2},
    {1, 32, 32, 16, 32, 2},
    {1, 7, 5, 4, 8, 2},
    {2, 5, 5, 3, 8, 2},
    {1, 4, 4, 5, 5, 1},
    {1, 6, 6, 2, 7, 1},
    {1, 1, 1, 1, 2, 2},
    {2, 9, 6, 5, 10, 3}
  };

  private void shortcuts() {
    for (int[] s : SHORTCUTS) {
      String name = begin("Shortcut " + Arrays.toString(s));
      end(name, new Pooling.Shortcut(s[5], s[4]), EXACT, normal(1, s[0], s[1], s[2], s[3]));
    }
  }

  private void shortcutGradients() {
    for (int[] s : SHORTCUTS) {
      String name = begin("ShortcutGrad " + Arrays.toString(s));
      end(
          name,
          new Pooling.ShortcutGrad(s[5], f32(s[0], s[1], s[2], s[3])),
          EXACT,
          normal(1, s[0], Math.ceilDiv(s[1], s[5]), Math.ceilDiv(s[2], s[5]), s[4]));
    }
  }

  // ---- element-wise ----

  /** Around the widths of vectors, and one and several pieces of work. */
  private static final long[] LENGTHS = {1, 3, 4, 5, 7, 8, 15, 16, 17, 33, 16_384, 40_001};

  private static List<Elementwise.Activation> activationKinds() {
    List<Elementwise.Activation> kinds = new ArrayList<>();
    for (Kind kind : Kind.values()) {
      kinds.add(new Elementwise.Activation(new ActivationFunction(kind)));
    }
    for (float[] relu : new float[][] {{0, 6}, {0, .8f}, {.2f, UNBOUNDED}, {1, UNBOUNDED}}) {
      kinds.add(new Elementwise.Activation(new ActivationFunction(Kind.RELU, relu[0], relu[1])));
    }
    return kinds;
  }

  /**
   * Where formulas change, on both sides; values that overflow an exponential; the smallest and
   * very large ones.
   */
  private static final float[] EXTREMES = {
    0,
    -0f,
    3,
    -3,
    6,
    Math.nextUp(-3f),
    Math.nextDown(3f),
    Math.nextDown(6f),
    .8f,
    20,
    -20,
    90,
    -90,
    Float.MIN_VALUE,
    -Float.MIN_VALUE,
    1e30f,
    -1e30f
  };

  private Tensor activationInput(long n) {
    Tensor x = normal(3, n);
    for (int i = 0; i < Math.min(n / 2, EXTREMES.length); i++) {
      x.values()[i] = EXTREMES[i];
    }
    return x;
  }

  private void activations() {
    for (Elementwise.Activation op : activationKinds()) {
      for (long n : LENGTHS) {
        String name = begin(op + " " + n);
        end(name, op, ROUNDINGS, activationInput(n));
      }
    }
  }

  private void activationGradients() {
    for (Elementwise.Activation op : activationKinds()) {
      for (long n : LENGTHS) {
        String name = begin("Gradient of " + op + " " + n);
        Tensor x = activationInput(n);
        end(name, new Elementwise.ActivationGrad(op), ROUNDINGS, normal(f32(n)), x);
      }
    }
  }

  private void prelus() {
    for (long[] shape : images()) {
      String name = begin("PRelu " + text(shape));
      Tensor x = normal(f32(shape));
      x.values()[0] = 0;
      end(name, new Elementwise.PRelu(), ROUNDINGS, x, normal(1, shape[3]));
    }
    String name = begin("PRelu of rows");
    end(name, new Elementwise.PRelu(), ROUNDINGS, normal(1, 41, 10), normal(1, 10));
  }

  private void preluGradients() {
    List<long[]> shapes = new ArrayList<>(images());
    shapes.add(new long[] {1, 1, 3, 2100});
    for (long[] shape : shapes) {
      for (Set<Integer> wanted : subsets(List.of(Set.of(Elementwise.PReluGrad.DSLOPE)), 0)) {
        String name = begin("PReluGrad %s to %s".formatted(text(shape), wanted));
        double deviation = 1 / Math.sqrt(product(shape) / (double) shape[3]);
        Tensor x = normal(f32(shape));
        x.values()[0] = 0;
        end(
            name,
            new Elementwise.PReluGrad(),
            PRODUCTS,
            wanted,
            normal(deviation, shape),
            x,
            normal(1, shape[3]));
      }
    }
  }

  /** Two operands of one shape, and a second that is repeated over pixels. */
  private void operands(Op op) {
    elementwise(op, 2, ROUNDINGS);
    for (long[] shape : images()) {
      String name = begin(op + " " + text(shape) + " with a number for each channel");
      end(name, op, ROUNDINGS, normal(f32(shape)), normal(1, shape[0], shape[3]));
    }
  }

  private void elementwise(Op op, int inputs, double tolerance) {
    for (long n : LENGTHS) {
      String name = begin(op + " " + n);
      Tensor[] tensors = new Tensor[inputs];
      for (int i = 0; i < inputs; i++) {
        tensors[i] = normal(f32(n));
      }
      // The sign of 0 is 0.
      tensors[inputs - 1].values()[0] = 0;
      end(name, op, tolerance, tensors);
    }
  }

  // ---- losses ----

  private void crossEntropies() {
    float[][] weights = {{10, 2}, {.1f, .5f}, {1, 0}, {1, 1}, {1, 1.5f}};
    for (float[] w : weights) {
      for (long k : new long[] {2, 10, 17, 100}) {
        for (Set<Integer> wanted : List.of(Set.of(0, 1), Set.of(0, 1, 2))) {
          String name =
              begin(
                  "HardCrossEntropy beta %s gamma %s k %d to %s"
                      .formatted(w[0], w[1], k, new TreeSet<>(wanted)));
          long n = 6;
          Tensor logits = normal(3, n, k);
          Tensor labels = integers((int) k, n);
          // Certain and right: p rounds to 1, the difficulty is tiny but for a last bit not 0.
          logits.values()[(int) labels.values()[0]] = 30;
          // Certain and wrong.
          logits.values()[(int) k + ((int) labels.values()[1] + 1) % (int) k] = 60;
          // So certain that the others vanish even in double precision.
          logits.values()[2 * (int) k + (int) labels.values()[2]] = 1000;
          end(name, new Loss.HardCrossEntropy(w[0], w[1]), PRODUCTS, wanted, logits, labels);
        }
      }
    }
    String name = begin("HardCrossEntropy one sample");
    end(name, new Loss.HardCrossEntropy(1, 0), PRODUCTS, normal(1, 1, 10), integers(10, 1));
  }

  private void distillations() {
    for (long k : new long[] {2, 10, 17, 100}) {
      for (float temperature : new float[] {1, 20}) {
        for (Set<Integer> wanted : subsets(List.of(Set.of(1), Set.of(2)), 0)) {
          String name = begin("DistillKl k %d T %s to %s".formatted(k, temperature, wanted));
          end(
              name,
              new Loss.DistillKl(temperature, 20),
              // The divergence is a difference of nearly equal logarithms, taken in double.
              PRODUCTS,
              wanted,
              normal(3, 5, k),
              normal(3, 5, k));
        }
      }
    }
    String name = begin("DistillKl extreme logits");
    end(name, new Loss.DistillKl(1, 1), PRODUCTS, normal(100, 3, 10), normal(100, 3, 10));
  }

  private void featureAlignments() {
    for (long c : new long[] {1, 3, 16, 17, 64}) {
      for (boolean accumulates : new boolean[] {false, true}) {
        for (Set<Integer> wanted : subsets(List.of(Set.of(1), Set.of(2)), 0)) {
          String name =
              begin(
                  "FeatureAlign c %d%s to %s"
                      .formatted(c, accumulates ? " accumulate" : "", wanted));
          List<Tensor> inputs =
              new ArrayList<>(List.of(uniform(.1, 3, 5, c), uniform(.1, 3, 5, c)));
          if (accumulates) {
            inputs.add(normal(1, 1));
          }
          end(
              name,
              new Loss.FeatureAlign(4, 100, accumulates),
              PRODUCTS,
              wanted,
              inputs.toArray(Tensor[]::new));
        }
      }
    }
  }

  // ---- random numbers and samples ----

  private void normals() {
    for (long n : new long[] {1, 2, 3, 4, 5, 1000, 40_001}) {
      String name = begin("PhiloxNormal " + n);
      end(
          name,
          new Random.PhiloxNormal(3, f32(n)),
          ROUNDINGS,
          key(random.nextLong(1L << 53), random.nextLong(1L << 53)));
    }
  }

  private void labels() {
    for (int classes : new int[] {1, 2, 10, 1000}) {
      String name = begin("PhiloxLabels " + classes);
      end(
          name,
          new Random.PhiloxLabels(7, 1001, classes),
          EXACT,
          key(random.nextLong(1L << 53), random.nextLong(1L << 53)));
    }
  }

  private void boxes() {
    Random.Augmentation[] augmentations = {
      new Random.Augmentation.ResizedCrop(.5f, 1, .75f, 4f / 3),
      new Random.Augmentation.ResizedCrop(.08f, 1, .75f, 4f / 3),
      // Nearly always too wide: the fallback.
      new Random.Augmentation.ResizedCrop(1, 1, 2.5f, 3),
      new Random.Augmentation.ResizedCrop(1, 1, .2f, .3f),
      new Random.Augmentation.Shift(4, true),
      new Random.Augmentation.Shift(4, false),
      new Random.Augmentation.Shift(0, false)
    };
    for (Random.Augmentation augmentation : augmentations) {
      for (boolean ordered : new boolean[] {false, true}) {
        for (long[] images : new long[][] {{50, 32, 32, 3}, {3, 5, 9, 1}}) {
          String name =
              begin(
                  "Boxes %s %s%s".formatted(augmentation, text(images), ordered ? " ordered" : ""));
          Op op = new Random.Boxes(5, 300, augmentation);
          Tensor key = key(random.nextLong(1L << 53), 123_456);
          Tensor pool = normal(f32(images));
          if (ordered) {
            end(name, op, EXACT, key, pool, integers((int) images[0], 37));
          } else {
            end(name, op, EXACT, key, pool);
          }
        }
      }
    }
  }

  /**
   * {image, top, left, height, width, flip}: identity, flips, shifts over each border, crops,
   * single pixels.
   */
  private static double[] someBoxes(int images, int h, int w) {
    int[][] boxes = {
      {0, 0, 0, h, w, 0},
      {1, 0, 0, h, w, 1},
      {0, -2, 3, h, w, 0},
      {1, 4, -4, h, w, 1},
      {0, 1, 2, h - 3, w - 4, 0},
      {1, 2, 0, h - 2, w - 1, 1},
      {0, 3, 3, 1, 1, 0},
      {1, 0, 1, 2, w - 1, 1},
      {0, h, w, h, w, 0}
    };
    double[] values = new double[6 * boxes.length];
    for (int i = 0; i < boxes.length; i++) {
      for (int k = 0; k < 6; k++) {
        values[6 * i + k] = k == 0 ? boxes[i][0] % images : boxes[i][k];
      }
    }
    return values;
  }

  /** A crop inside the image, flipped. */
  private static double[] oneBox(int h, int w) {
    return new double[] {1, 2, 0, h - 3, w - 1, 1};
  }

  /** {h, w, c, out height, out width}. */
  private static final int[][] CROPS = {
    {32, 32, 3, 32, 32}, {9, 7, 5, 9, 7}, {8, 8, 1, 16, 12}, {12, 12, 16, 5, 5}, {7, 9, 3, 9, 9}
  };

  /** The same for few boxes, whose images a GPU cuts into strips; the second in odd places. */
  private static final int[][] CUT_CROPS = {
    {32, 32, 3, 32, 32}, {23, 17, 3, 25, 15}, {9, 31, 5, 14, 13}
  };

  private void crops() {
    for (int[] s : CROPS) {
      crop(s, someBoxes(2, s[0], s[1]));
    }
    for (int[] s : CUT_CROPS) {
      crop(s, oneBox(s[0], s[1]));
    }
  }

  private void crop(int[] s, double[] boxes) {
    int n = boxes.length / 6;
    String name = begin("CropFlip %s of %d".formatted(Arrays.toString(s), n));
    end(
        name,
        new Random.CropFlip(s[3], s[4]),
        PRODUCTS,
        normal(1, 2, s[0], s[1], s[2]),
        Tensor.of(i32(n, 6), boxes));
  }

  private void gathers() {
    for (int n : new int[] {1, 9, 100}) {
      String name = begin("GatherLabels " + n);
      Tensor boxes = integers(50, n, 6);
      end(name, new Random.GatherLabels(), EXACT, integers(10, 50), boxes);
    }
  }

  private void cropGradients() {
    for (int[] s : CROPS) {
      cropGradient(s, someBoxes(2, s[0], s[1]));
    }
    for (int[] s : CUT_CROPS) {
      cropGradient(s, oneBox(s[0], s[1]));
    }
  }

  private void cropGradient(int[] s, double[] boxes) {
    long n = boxes.length / 6;
    String name = begin("CropFlipGrad %s of %d".formatted(Arrays.toString(s), n));
    end(
        name,
        new Random.CropFlipGrad(f32(n, s[0], s[1], s[2])),
        PRODUCTS,
        normal(1, n, s[3], s[4], s[2]),
        Tensor.of(i32(n, 6), boxes));
  }

  // ---- optimiser steps ----

  private void adams() {
    for (long n : new long[] {1, 7, 17, 40_001}) {
      for (long step : new long[] {0, 1, 999, 100_000}) {
        String name = begin("AdamStep %d at %d".formatted(n, step));
        end(
            name,
            new Optimizer.AdamStep(.9f, .999f, 1e-8f),
            PRODUCTS,
            normal(f32(n)),
            normal(.1, n),
            uniform(1e-4, 1e-2, n),
            normal(.1, n),
            scalar(.5),
            Tensor.of(i64(1), step));
      }
    }
    String name = begin("AdamStep of the generator");
    end(
        name,
        new Optimizer.AdamStep(.5f, .999f, 1e-8f),
        PRODUCTS,
        normal(f32(100)),
        Tensor.zeros(f32(100)),
        Tensor.zeros(f32(100)),
        normal(.1, 100),
        scalar(1e-3),
        Tensor.of(i64(1), 0));
  }

  private void sgds() {
    for (long n : new long[] {1, 7, 17, 40_001}) {
      for (boolean nesterov : new boolean[] {false, true}) {
        String name = begin("SgdStep %d%s".formatted(n, nesterov ? " nesterov" : ""));
        end(
            name,
            new Optimizer.SgdStep(.9f, 1e-4f, nesterov),
            ROUNDINGS,
            normal(f32(n)),
            normal(f32(n)),
            normal(f32(n)),
            scalar(.1));
        String own = begin("SgdStep %d%s, rates".formatted(n, nesterov ? " nesterov" : ""));
        end(
            own,
            new Optimizer.SgdStep(.9f, 1e-4f, nesterov),
            ROUNDINGS,
            normal(f32(n)),
            normal(f32(n)),
            normal(f32(n)),
            scalar(.1),
            uniform(0, 2, n));
      }
    }
  }

  private void keepsBest() {
    for (long n : new long[] {1, 7, 17, 40_001}) {
      for (double kept : new double[] {Double.POSITIVE_INFINITY, 1, .5, Double.NaN}) {
        for (double loss : new double[] {.5, 1, Double.NaN, Double.POSITIVE_INFINITY}) {
          String name = begin("KeepBestStep %d, loss %s after %s".formatted(n, loss, kept));
          end(
              name,
              new Optimizer.KeepBestStep(),
              EXACT,
              normal(f32(n)),
              scalar(kept),
              Tensor.of(i64(1), 3),
              normal(f32(n)),
              scalar(loss),
              Tensor.of(i64(1), 1L << 40));
        }
      }
    }
  }

  private void samples() {
    double[][] states = {
      {.5, Double.POSITIVE_INFINITY, 0},
      {.5, 1, 3},
      {.5, 1, 50},
      {.5, 2.5, 49},
      {.5, 2.5, 50},
      {1.5e-4, 1, 50},
      {1e-4, 1, 50}
    };
    for (double[] state : states) {
      for (double loss : new double[] {2.5, 2.4999, Double.NaN, Double.POSITIVE_INFINITY}) {
        sample(7, 41, state, loss, ROUNDINGS);
      }
    }
    // The rate falls after the step, not while some elements have still to take it.
    for (long n : new long[] {1, 17, 40_001}) {
      for (long step : new long[] {0, 1, 999, 100_000}) {
        sample(n, step, new double[] {.5, 1, 50}, 2.5, PRODUCTS);
      }
    }
  }

  private void sample(long n, long step, double[] state, double loss, double tolerance) {
    String name =
        begin("SampleStep %d at %d, %s loss %s".formatted(n, step, Arrays.toString(state), loss));
    end(
        name,
        new Optimizer.SampleStep(.9f, .999f, 1e-8f, .1f, 1e-4f, 1e-4f, 1e-8f, 50),
        tolerance,
        normal(f32(n)),
        normal(.1, n),
        uniform(1e-4, 1e-2, n),
        Tensor.of(f32(3), (float) state[0], (float) state[1], (float) state[2]),
        Tensor.of(i64(1), step),
        normal(.1, n),
        scalar(loss));
  }

  private void counters() {
    for (long before : new long[] {0, 41, (1L << 40) - 1}) {
      String name = begin("CounterStep " + before);
      end(name, new Elementwise.CounterStep(), EXACT, Tensor.of(i64(1), before));
    }
  }
}
