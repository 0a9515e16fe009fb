package org.hast4j.ops;

import static org.hast4j.graph.TensorType.f32;
import static org.hast4j.graph.TensorType.i32;
import static org.hast4j.graph.TensorType.i64;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Random;
import org.hast4j.graph.TensorType;
import org.hast4j.kernel.Precision;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.ActivationFunction.Kind;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.StraightThrough;
import org.hast4j.tensor.Window;

/**
 * The operations of the loops that touch much memory, at the channel counts and image sizes that
 * networks have: what a kernel asks of memory is a matter of these, not of the batch.
 */
final class TrafficCases {
  private static final Norm.BnAct PLAIN = new Norm.BnAct(true, false, 0, 0, 1e-5f, false);
  private static final int BOXES = 8;
  private static final int BOX = 6;
  private static final int SIDE = 32;
  private static final Norm.BnAct WITH_RESIDUAL = new Norm.BnAct(true, true, 0, 0, 1e-5f, false);

  /**
   * An operation on inputs of these types.
   *
   * @param wanted outputs that something reads
   * @param bytes of the inputs it reads and the outputs it writes, each once
   * @param mostSectors beside the least that its requests need
   */
  record Case(
      String name,
      Op op,
      List<TensorType> inputs,
      Set<Integer> wanted,
      long bytes,
      double mostSectors,
      Precision precision) {
    @Override
    public String toString() {
      return name;
    }
  }

  private final List<Case> cases = new ArrayList<>();

  private TrafficCases() {}

  static List<Case> all() {
    TrafficCases table = new TrafficCases();
    for (Precision precision : Precision.values()) {
      // ResNet-20 on 32 x 32 images.
      table.convolution(precision, 3, 16, 3, 1, 32, 1);
      table.convolution(precision, 16, 16, 3, 1, 32, 1);
      table.convolution(precision, 16, 32, 3, 2, 32, 1);
      table.convolution(precision, 16, 32, 1, 2, 32, 1);
      table.convolution(precision, 32, 32, 3, 1, 16, 2);
      table.convolution(precision, 32, 64, 3, 2, 16, 2);
      table.convolution(precision, 64, 64, 3, 1, 8, 8);
      // ResNet-18's and MobileNetV2's large images.
      table.convolution(precision, 64, 64, 3, 1, 56, 1);
      table.convolution(precision, 96, 24, 1, 1, 56, 1);
      // Padding behind only, taps apart, and groups.
      Window behind = new Window(2, 2, 0, 0, 1, 1, 1, 1);
      table.convolution(precision, 32, 64, 3, 1, behind, 16, 2);
      table.convolution(precision, 32, 32, 3, 1, new Window(1, 1, 2, 2, 2, 2, 2, 2), 16, 2);
      table.convolution(precision, 64, 64, 3, 2, new Window(1, 1), 16, 2);
    }
    table.depthwise(112, 32, new Window(1, 1));
    table.depthwise(56, 144, new Window(2, 1));
    table.depthwise(56, 144, new Window(2, 2, 0, 0, 1, 1, 1, 1));
    table.depthwise(14, 384, new Window(1, 1));
    table.depthwise(7, 960, new Window(1, 1));
    table.activations(32, 16);
    table.activations(8, 64);
    table.steps();
    return List.copyOf(table.cases);
  }

  private void add(String name, Op op, List<TensorType> inputs, Integer... wanted) {
    add(name, op, inputs, Set.of(wanted), bytes(inputs), Precision.FP32);
  }

  private void add(
      String name,
      Op op,
      List<TensorType> inputs,
      Set<Integer> wanted,
      long read,
      Precision precision) {
    List<TensorType> outputs = op.outputs(inputs);
    long bytes = read + bytes(wanted.stream().map(outputs::get).toList());
    cases.add(new Case(name, op, inputs, wanted, bytes, mostSectors(op, inputs), precision));
  }

  private static double mostSectors(Op op, List<TensorType> inputs) {
    return switch (op) {
      // Pixels of 12 bytes, a channel at a time.
      case Random.CropFlip _ -> 2.5;
      case Convolution.Conv2d _, Convolution.Conv2dDataGrad _, Convolution.Conv2dWeightGrad _ ->
          inputs.stream().anyMatch(type -> type.shape().size(-1) == 3) ? 2.1 : 1.05;
      // Lanes read one run for each group, or each member of one; the lines' rest is in the cache.
      case Pooling.ChannelShuffle _ -> 2.1;
      // At an image's border lanes read differently often, which the counter cannot tell apart.
      case Convolution.DepthwiseConv2d _,
          Convolution.DepthwiseConv2dDataGrad _,
          Convolution.DepthwiseConv2dWeightGrad _ ->
          1.3;
      default -> 1.05;
    };
  }

  private static long bytes(List<TensorType> types) {
    return types.stream().mapToLong(TensorType::bytes).sum();
  }

  private void convolution(
      Precision precision, int c, int k, int filter, int stride, int side, int n) {
    convolution(precision, c, k, filter, 1, new Window(stride, filter / 2), side, n);
  }

  private void convolution(
      Precision precision, int c, int k, int filter, int groups, Window window, int side, int n) {
    TensorType x = f32(n, side, side, c);
    TensorType weight = f32(k, filter, filter, c / groups);
    Convolution.Conv2d forward = new Convolution.Conv2d(window, groups);
    TensorType y = forward.outputs(List.of(x, weight)).getFirst();
    String shape =
        "%dx%d %s, %d to %d channels%s, %dx%d, %s"
            .formatted(
                filter,
                filter,
                window,
                c,
                k,
                groups == 1 ? "" : " in %d groups".formatted(groups),
                side,
                side,
                precision);
    // Small kernels with large strides leave pixels out.
    int stride = window.strideH();
    long read = filter < stride ? x.bytes() / (stride * stride) : x.bytes();
    Set<Integer> result = Set.of(0);
    add("conv2d " + shape, forward, List.of(x, weight), result, read + weight.bytes(), precision);
    List<TensorType> inputs = List.of(y, weight);
    add(
        "conv2d data gradient " + shape,
        new Convolution.Conv2dDataGrad(forward, x, false),
        inputs,
        result,
        bytes(inputs),
        precision);
    add(
        "conv2d weight gradient " + shape,
        new Convolution.Conv2dWeightGrad(forward, weight),
        List.of(y, x),
        result,
        y.bytes() + read,
        precision);
  }

  private void depthwise(int side, int c, Window window) {
    TensorType x = f32(1, side, side, c);
    TensorType weight = f32(c, 3, 3, 1);
    Convolution.DepthwiseConv2d forward = new Convolution.DepthwiseConv2d(window);
    TensorType y = forward.outputs(List.of(x, weight)).getFirst();
    String shape = "3x3 %s, %d channels, %dx%d".formatted(window, c, side, side);
    add("depthwise " + shape, forward, List.of(x, weight), 0);
    add(
        "depthwise data gradient " + shape,
        new Convolution.DepthwiseConv2dDataGrad(forward, x, false),
        List.of(y, weight),
        0);
    add(
        "depthwise weight gradient " + shape,
        new Convolution.DepthwiseConv2dWeightGrad(forward, weight),
        List.of(y, x),
        0);
  }

  private void activations(int side, int c) {
    TensorType u = f32(4, side, side, c);
    TensorType mask = new TensorType(DType.U8, u.shape());
    TensorType channels = f32(c);
    TensorType range = f32(2);
    String shape = ", %d channels, %dx%d".formatted(c, side, side);
    List<TensorType> norm = List.of(u, channels, channels, channels, channels);
    add(
        "BN, ReLU, statistics" + shape,
        PLAIN,
        norm,
        Norm.BnAct.Y,
        Norm.BnAct.MASK,
        Norm.BnAct.BATCH_MEAN,
        Norm.BnAct.BATCH_VARIANCE);
    add(
        "BN, add, ReLU, fake quantisation, attention" + shape,
        new Norm.BnAct(true, true, 4, 0, 1e-5f, false),
        plus(norm, u, range),
        Norm.BnAct.Y,
        Norm.BnAct.MASK,
        Norm.BnAct.ATTENTION);
    List<TensorType> gradient = List.of(u, u, channels, channels, channels, channels, mask);
    add(
        "BN gradient, statistics" + shape,
        new Norm.BnActGrad(PLAIN, true, false, true),
        plus(gradient, f32(2, c), channels),
        Norm.BnActGrad.DU);
    add(
        "BN gradient, residual, scale and shift, attention" + shape,
        new Norm.BnActGrad(WITH_RESIDUAL, true, true, false),
        plus(gradient, f32(4, c)),
        Norm.BnActGrad.DU,
        Norm.BnActGrad.DRESIDUAL,
        Norm.BnActGrad.DGAMMA,
        Norm.BnActGrad.DBETA);
    add("BN statistics" + shape, new Norm.BnStats(), List.of(u), 0, 1);
    add("smallest and largest" + shape, new Quantization.MinMax(), List.of(u), 0);
    add("fake quantisation" + shape, new Quantization.FakeQuant(4), List.of(u, range), 0);
    add(
        "fake quantisation gradient" + shape,
        new Quantization.FakeQuantGrad(new Quantization.FakeQuant(4, StraightThrough.IN_RANGE)),
        List.of(u, u, range),
        0);
    add(
        "weight quantisation" + shape,
        new Quantization.FakeQuantChannel(4),
        List.of(f32(c, 3, 3, c)),
        0);
    add("global average pooling" + shape, new Pooling.GlobalAvgPool(), List.of(u), 0);
    TensorType gates = f32(4, c);
    add("multiplication by gates" + shape, new Elementwise.Mul(), List.of(u, gates), 0);
    add("gradient of gates" + shape, new Pooling.PixelSum(), List.of(u, u), 0);
    add("PReLU" + shape, new Elementwise.PRelu(), List.of(u, channels), 0);
    add("PReLU gradient" + shape, new Elementwise.PReluGrad(), List.of(u, u, channels), 0, 1);
    Pooling.AveragePool pool = new Pooling.AveragePool(2, 2, 0, true);
    TensorType pooled = pool.outputs(List.of(u)).getFirst();
    add("average pooling" + shape, pool, List.of(u), 0);
    add(
        "average pooling gradient" + shape,
        new Pooling.AveragePoolGrad(pool, u),
        List.of(pooled),
        0);
    add("concatenation" + shape, new Pooling.Concat(), List.of(u, u), 0);
    Pooling.Slice half = new Pooling.Slice(c / 2, c);
    TensorType halved = half.outputs(List.of(u)).getFirst();
    add("slice" + shape, half, List.of(u), Set.of(0), halved.bytes(), Precision.FP32);
    add("slice gradient" + shape, new Pooling.SliceGrad(half, u), List.of(halved), 0);
    add("channel shuffle" + shape, new Pooling.ChannelShuffle(2), List.of(u), 0);
    add("channel shuffle back" + shape, new Pooling.ChannelShuffle(c / 2), List.of(u), 0);
    add("flattening" + shape, new Pooling.Flatten(), List.of(u), 0);
    add(
        "flattening gradient" + shape,
        new Pooling.FlattenGrad(u),
        List.of(f32(4, (long) side * side * c)),
        0);
  }

  private void steps() {
    TensorType pixels = f32(BOXES, SIDE, SIDE, 3);
    TensorType vector = f32(16384);
    TensorType rate = f32(1);
    add(
        "Adam",
        new Optimizer.AdamStep(.9f, .999f, 1e-8f),
        List.of(vector, vector, vector, vector, rate, i64(1)));
    add("SGD", new Optimizer.SgdStep(.9f, 1e-4f, true), List.of(vector, vector, vector, rate));
    add(
        "SGD with rates",
        new Optimizer.SgdStep(.9f, 1e-4f, true),
        List.of(vector, vector, vector, rate, vector));
    add("sign perturbation", new Elementwise.SignPerturb(.01f), List.of(pixels, pixels), 0);
    add("add", new Elementwise.Add(), List.of(pixels, pixels), 0);
    Elementwise.Activation activation =
        new Elementwise.Activation(new ActivationFunction(Kind.GELU));
    add("activation", activation, List.of(pixels), 0);
    add(
        "activation gradient",
        new Elementwise.ActivationGrad(activation),
        List.of(pixels, pixels),
        0);
    add("normal values", new Random.PhiloxNormal(0, pixels), List.of(i64(2)), 0);
    add("crop and flip", new Random.CropFlip(SIDE, SIDE), List.of(pixels, i32(BOXES, BOX)), 0);
  }

  private static List<TensorType> plus(List<TensorType> types, TensorType... more) {
    List<TensorType> all = new ArrayList<>(types);
    all.addAll(List.of(more));
    return all;
  }

  /** Boxes that choose the whole of every image. */
  static int[] boxes() {
    int[] boxes = new int[BOXES * BOX];
    for (int i = 0; i < BOXES; i++) {
      System.arraycopy(new int[] {i, 0, 0, SIDE, SIDE, 0}, 0, boxes, i * BOX, BOX);
    }
    return boxes;
  }
}
