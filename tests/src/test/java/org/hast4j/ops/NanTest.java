package org.hast4j.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.hast4j.graph.TensorType.f32;
import static org.hast4j.graph.TensorType.i32;
import static org.hast4j.graph.TensorType.i64;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Loss;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.TensorType;
import org.hast4j.oracle.Tensor;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.ActivationFunction.Kind;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.StraightThrough;
import org.hast4j.tensor.Window;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A NaN must show in what is computed from it: maxima and clamps swallow it if they are written
 * carelessly.
 */
class NanTest {
  private static final double NAN = Double.NaN;

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  private final Random random = new Random(3);

  private Tensor normal(long... sizes) {
    return Tensor.fill(f32(sizes), random::nextGaussian);
  }

  private Tensor positive(long... sizes) {
    return Tensor.fill(f32(sizes), () -> .5 + random.nextDouble());
  }

  private static Tensor with(Tensor tensor, int index, double value) {
    Tensor spoilt = tensor.copy();
    spoilt.values()[index] = value;
    return spoilt;
  }

  private static List<Tensor> run(Op op, Tensor... inputs) {
    int outputs = op.outputs(Arrays.stream(inputs).map(Tensor::type).toList()).size();
    Set<Integer> wanted = new TreeSet<>(IntStream.range(0, outputs).boxed().toList());
    OpCase test = new OpCase(op.toString(), op, List.of(inputs), wanted, 0);
    List<byte[]> bytes = new OpRun(DEVICES.open(), test, false).run();
    List<Tensor> results = new ArrayList<>();
    for (int i = 0; i < bytes.size(); i++) {
      results.add(OpRun.tensor(bytes.get(i), test.results().get(i)));
    }
    return results;
  }

  private static boolean[] nans(Tensor tensor) {
    boolean[] nans = new boolean[tensor.count()];
    for (int i = 0; i < nans.length; i++) {
      nans[i] = Double.isNaN(tensor.values()[i]);
    }
    return nans;
  }

  private static void onlyAt(Tensor tensor, int index) {
    boolean[] expected = new boolean[tensor.count()];
    expected[index] = true;
    assertThat(nans(tensor)).isEqualTo(expected);
  }

  private static void everywhere(Tensor tensor) {
    assertThat(nans(tensor)).containsOnly(true);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 15, 16, 17, 99})
  void fakeQuantization(int index) {
    onlyAt(
        run(new Quantization.FakeQuant(4), with(normal(100), index, NAN), Tensor.of(f32(2), -1, 2))
            .getFirst(),
        index);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void fakeQuantizationOnARangeOfNan(int end) {
    Tensor range = with(Tensor.of(f32(2), -1, 2), end, NAN);
    everywhere(run(new Quantization.FakeQuant(4), normal(100), range).getFirst());
  }

  @ParameterizedTest
  @ValueSource(ints = {27, 30, 53})
  void weightQuantization(int index) {
    Tensor y =
        run(new Quantization.FakeQuantChannel(4), with(normal(4, 3, 3, 3), index, NAN)).getFirst();
    assertThat(y.values()[index]).isNaN();
    for (int i = 0; i < y.count(); i++) {
      if (i / 27 != 1) {
        assertThat(y.values()[i]).as("another channel").isNotNaN();
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 0", "1, 999", "7, 3", "40001, 0", "40001, 40000", "40001, 20000", "40001, 17"})
  void range(int count, int index) {
    int n = Math.max(count, index + 1);
    everywhere(run(new Quantization.MinMax(), with(normal(n), index, NAN)).getFirst());
  }

  @ParameterizedTest
  @CsvSource({
    "0, Infinity, 0",
    "0, Infinity, 4",
    "0, 6, 0",
    "0, 0.5, 4",
    "0.2, Infinity, 0",
    "0.2, Infinity, 3",
    "1, Infinity, 0",
    "1, Infinity, 8"
  })
  void batchNorm(float slope, float ceiling, int bits) {
    Norm.BnAct op = new Norm.BnAct(true, true, bits, slope, ceiling, 1e-5f, false);
    Tensor residual = normal(2, 5, 5, 17);
    for (int index : new int[] {0, 17, 300, 849}) {
      onlyAt(batchNorm(op, with(normal(2, 5, 5, 17), index, NAN), residual).getFirst(), index);
      onlyAt(batchNorm(op, residual, with(normal(2, 5, 5, 17), index, NAN)).getFirst(), index);
    }
  }

  private List<Tensor> batchNorm(Norm.BnAct op, Tensor u, Tensor residual) {
    List<Tensor> inputs =
        new ArrayList<>(List.of(u, normal(17), positive(17), positive(17), normal(17), residual));
    if (op.bits() > 0) {
      inputs.add(Tensor.of(f32(2), 0, 2));
    }
    return run(op, inputs.toArray(Tensor[]::new));
  }

  @Test
  void batchStatisticsAndAttention() {
    Norm.BnAct op = new Norm.BnAct(true, true, 0, 0, 1e-5f, false);
    int index = 17 * 26 + 4;
    List<Tensor> results =
        batchNorm(op, with(normal(2, 5, 5, 17), index, NAN), normal(2, 5, 5, 17));
    onlyAt(results.get(Norm.BnAct.BATCH_MEAN), 4);
    onlyAt(results.get(Norm.BnAct.BATCH_VARIANCE), 4);
    onlyAt(results.get(Norm.BnAct.ATTENTION), 17 + 4);
    List<Tensor> separate = run(new Norm.BnStats(), with(normal(2, 5, 5, 17), index, NAN));
    onlyAt(separate.get(0), 4);
    onlyAt(separate.get(1), 4);
  }

  @Test
  void batchNormGradient() {
    Norm.BnAct forward = new Norm.BnAct(true, true, 0, 0, 1e-5f, false);
    Tensor mask = Tensor.fill(new TensorType(DType.U8, f32(2, 5, 5, 17).shape()), () -> 1);
    List<Tensor> results =
        run(
            new Norm.BnActGrad(forward, true, false, false),
            with(normal(2, 5, 5, 17), 21, NAN),
            normal(2, 5, 5, 17),
            normal(17),
            positive(17),
            positive(17),
            normal(17),
            mask);
    onlyAt(results.get(Norm.BnActGrad.DU), 21);
    onlyAt(results.get(Norm.BnActGrad.DRESIDUAL), 21);
    onlyAt(results.get(Norm.BnActGrad.DGAMMA), 4);
    onlyAt(results.get(Norm.BnActGrad.DBETA), 4);
  }

  @ParameterizedTest
  @ValueSource(ints = {3, 16})
  void convolution(int channels) {
    int index = (1 * 64 + 3 * 8 + 4) * channels;
    Tensor x = with(normal(2, 8, 8, channels), index, NAN);
    Tensor y = run(new Convolution.Conv2d(1, 1), x, normal(16, 3, 3, channels)).getFirst();
    boolean[] nans = nans(y);
    for (int i = 0; i < nans.length; i++) {
      int column = i / 16 % 8;
      int row = i / 128 % 8;
      int image = i / 1024;
      // A fast algorithm on tiles may spread a NaN over its tile, but must not lose it, nor take it
      // to another image.
      if (image == 1 && Math.abs(row - 3) <= 1 && Math.abs(column - 4) <= 1) {
        assertThat(nans[i]).as("output (%d, %d)", row, column).isTrue();
      }
      if (image == 0) {
        assertThat(nans[i]).isFalse();
      }
    }
  }

  /** Exactly the windows that hold the NaN give it on, in its channel alone. */
  @ParameterizedTest
  @CsvSource({"1, 3", "2, 3", "2, 5", "1, 1"})
  void depthwiseConvolution(int stride, int size) {
    Tensor x = with(normal(2, 9, 9, 21), (81 + 3 * 9 + 4) * 21 + 18, NAN);
    Op op = new Convolution.DepthwiseConv2d(stride, size / 2);
    Tensor y = run(op, x, normal(21, size, size, 1)).getFirst();
    int q = y.type().shape().size(2) > 5 ? 9 : 5;
    boolean[] nans = nans(y);
    for (int i = 0; i < nans.length; i++) {
      int column = i / 21 % q * stride;
      int row = i / 21 / q % q * stride;
      boolean holds = Math.abs(row - 3) <= size / 2 && Math.abs(column - 4) <= size / 2;
      assertThat(nans[i]).as("y[%d]", i).isEqualTo(i / 21 / q / q == 1 && i % 21 == 18 && holds);
    }
  }

  /**
   * A weight that is no number reaches what its tap reaches; padding is left out, not multiplied.
   */
  @Test
  void depthwiseFilter() {
    Tensor weight = with(normal(21, 3, 3, 1), 18 * 9, NAN);
    Tensor y = run(new Convolution.DepthwiseConv2d(1, 1), normal(1, 9, 9, 21), weight).getFirst();
    boolean[] nans = nans(y);
    for (int i = 0; i < nans.length; i++) {
      boolean reached = i % 21 == 18 && i / 21 % 9 > 0 && i / 21 / 9 > 0;
      assertThat(nans[i]).as("y[%d]", i).isEqualTo(reached);
    }
  }

  @Test
  void depthwiseGradients() {
    TensorType x = f32(2, 9, 9, 21);
    TensorType filter = f32(21, 3, 3, 1);
    Tensor dy = with(normal(2, 5, 5, 21), ((25 + 2 * 5 + 1) * 21) + 20, NAN);
    Tensor dx =
        run(
                new Convolution.DepthwiseConv2dDataGrad(
                    new Convolution.DepthwiseConv2d(2, 1), x, false),
                dy,
                normal(21, 3, 3, 1))
            .getFirst();
    boolean[] nans = nans(dx);
    for (int i = 0; i < nans.length; i++) {
      boolean met = Math.abs(i / 21 / 9 % 9 - 4) <= 1 && Math.abs(i / 21 % 9 - 2) <= 1;
      assertThat(nans[i]).as("dx[%d]", i).isEqualTo(i >= 81 * 21 && i % 21 == 20 && met);
    }
    Tensor dweight =
        run(
                new Convolution.DepthwiseConv2dWeightGrad(
                    new Convolution.DepthwiseConv2d(2, 1), filter),
                dy,
                normal(2, 9, 9, 21))
            .getFirst();
    boolean[] taps = nans(dweight);
    for (int i = 0; i < taps.length; i++) {
      assertThat(taps[i]).as("dweight[%d]", i).isEqualTo(i / 9 == 20);
    }
  }

  /** Every square that holds the NaN gives it on, wherever in the square it is. */
  @ParameterizedTest
  @CsvSource({"0, 0", "3, 4", "4, 3", "6, 6"})
  void maxPool(int row, int column) {
    Tensor x = with(normal(1, 7, 7, 17), (row * 7 + column) * 17 + 5, NAN);
    List<Tensor> results = run(new Pooling.MaxPool(3, 2, 1), x);
    for (int i = 0; i < results.get(Pooling.MaxPool.Y).count(); i++) {
      int top = i / 17 / 4 * 2 - 1;
      int left = i / 17 % 4 * 2 - 1;
      boolean holds = top <= row && row < top + 3 && left <= column && column < left + 3;
      boolean nan = holds && i % 17 == 5;
      assertThat(Double.isNaN(results.get(Pooling.MaxPool.Y).values()[i])).isEqualTo(nan);
      if (nan) {
        assertThat(results.get(Pooling.MaxPool.INDEX).values()[i])
            .isEqualTo((row - top) * 3 + column - left);
      }
    }
  }

  /** Values that nothing of a made-up maximum may outrank: padding is no 0, and no -infinity. */
  @Test
  void maxPoolOfMinusInfinity() {
    Tensor x = Tensor.fill(f32(1, 3, 3, 2), () -> Double.NEGATIVE_INFINITY);
    List<Tensor> results = run(new Pooling.MaxPool(3, 2, 1), x);
    assertThat(results.get(Pooling.MaxPool.Y).values()).containsOnly(Double.NEGATIVE_INFINITY);
    assertThat(results.get(Pooling.MaxPool.INDEX).values()).containsExactly(4, 4, 3, 3, 1, 1, 0, 0);
    results = run(new Pooling.MaxPool(2, 3, new Window(2, 2, 1, 2, 0, 1, 1, 1)), x);
    assertThat(results.get(Pooling.MaxPool.Y).values()).containsOnly(Double.NEGATIVE_INFINITY);
    assertThat(results.get(Pooling.MaxPool.INDEX).values()).containsExactly(5, 5, 3, 3, 2, 2, 0, 0);
  }

  @Test
  void crossEntropy() {
    Tensor labels = Tensor.of(i32(3), 1, 0, 2);
    List<Tensor> results =
        run(new Loss.HardCrossEntropy(10, 2), with(normal(3, 4), 5, NAN), labels);
    everywhere(results.get(0));
    assertThat(nans(results.get(1)))
        .containsExactly(
            false, false, false, false, true, true, true, true, false, false, false, false);
    onlyAt(results.get(2), 1);
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 4, Integer.MIN_VALUE, Integer.MAX_VALUE})
  void crossEntropyOfAnUnknownLabel(int label) {
    Tensor labels = Tensor.of(i32(3), 1, label, 2);
    List<Tensor> results = run(new Loss.HardCrossEntropy(10, 2), normal(3, 4), labels);
    everywhere(results.get(0));
    assertThat(nans(results.get(1)))
        .containsExactly(
            false, false, false, false, true, true, true, true, false, false, false, false);
  }

  @Test
  void distillation() {
    for (int side = 0; side < 2; side++) {
      Tensor student = side == 0 ? with(normal(3, 4), 5, NAN) : normal(3, 4);
      Tensor teacher = side == 1 ? with(normal(3, 4), 5, NAN) : normal(3, 4);
      List<Tensor> results = run(new Loss.DistillKl(20, 20), student, teacher);
      everywhere(results.get(0));
      assertThat(results.get(1).values()[5]).isNaN();
      assertThat(results.get(2).values()[5]).isNaN();
      assertThat(results.get(1).values()[0]).isNotNaN();
    }
  }

  @Test
  void featureAlignment() {
    for (int side = 0; side < 2; side++) {
      Tensor student = side == 0 ? with(positive(3, 4), 5, NAN) : positive(3, 4);
      Tensor teacher = side == 1 ? with(positive(3, 4), 5, NAN) : positive(3, 4);
      List<Tensor> results = run(new Loss.FeatureAlign(9, 1000, false), student, teacher);
      everywhere(results.get(0));
      assertThat(results.get(1).values()[5]).isNaN();
      assertThat(results.get(2).values()[5]).isNaN();
      assertThat(results.get(1).values()[0]).isNotNaN();
    }
  }

  @Test
  void featuresThatAreAllZeroGiveNoNan() {
    List<Tensor> results =
        run(new Loss.FeatureAlign(9, 1000, false), Tensor.zeros(f32(2, 3)), positive(2, 3));
    results.forEach(
        result -> Arrays.stream(result.values()).forEach(value -> assertThat(value).isFinite()));
  }

  @Test
  void statisticLoss() {
    List<Tensor> results =
        run(
            new Loss.BnStatsLoss(50, 1, false),
            with(normal(5), 2, NAN),
            positive(5),
            normal(5),
            positive(5));
    everywhere(results.get(0));
    onlyAt(results.get(1), 2);
  }

  @Test
  void signs() {
    onlyAt(
        run(new Elementwise.SignPerturb(.1f), normal(40), with(normal(40), 33, NAN)).getFirst(),
        33);
    onlyAt(
        run(new Elementwise.SignPerturb(.1f), with(normal(40), 33, NAN), normal(40)).getFirst(),
        33);
    onlyAt(run(new Elementwise.Tanh(), with(normal(40), 33, NAN)).getFirst(), 33);
  }

  @ParameterizedTest
  @EnumSource
  void activations(Kind kind) {
    Elementwise.Activation op = new Elementwise.Activation(new ActivationFunction(kind));
    for (int index : new int[] {0, 33, 39}) {
      onlyAt(run(op, with(normal(40), index, NAN)).getFirst(), index);
      onlyAt(
          run(new Elementwise.ActivationGrad(op), with(normal(40), index, NAN), normal(40))
              .getFirst(),
          index);
    }
  }

  @ParameterizedTest
  @CsvSource({"0.2, Infinity", "1, Infinity", "0, 6"})
  void leakyAndBoundedRelus(float slope, float ceiling) {
    Op op = new Elementwise.Activation(new ActivationFunction(Kind.RELU, slope, ceiling));
    onlyAt(run(op, with(normal(40), 33, NAN)).getFirst(), 33);
  }

  @Test
  void operandsThatAreRepeated() {
    for (Op op : List.of(new Elementwise.Add(), new Elementwise.Mul())) {
      Tensor x = normal(2, 5, 5, 17);
      onlyAt(run(op, with(x, 433, NAN), normal(2, 17)).getFirst(), 433);
      boolean[] nans = nans(run(op, x, with(normal(2, 17), 20, NAN)).getFirst());
      for (int i = 0; i < nans.length; i++) {
        assertThat(nans[i]).as("y[%d]", i).isEqualTo(i >= 425 && i % 17 == 3);
      }
    }
    Tensor spoilt = with(normal(2, 5, 5, 17), 425 + 17 * 8 + 3, NAN);
    onlyAt(run(new Pooling.PixelSum(), spoilt).getFirst(), 20);
    onlyAt(run(new Pooling.PixelSum(), spoilt, normal(2, 5, 5, 17)).getFirst(), 20);
    onlyAt(run(new Pooling.PixelSum(), normal(2, 5, 5, 17), spoilt).getFirst(), 20);
  }

  @Test
  void slopesThatAreLearned() {
    Tensor x = normal(40, 17);
    onlyAt(run(new Elementwise.PRelu(), with(x, 33, NAN), normal(17)).getFirst(), 33);
    List<Tensor> ofDy = run(new Elementwise.PReluGrad(), with(x, 33, NAN), x, normal(17));
    onlyAt(ofDy.get(Elementwise.PReluGrad.DX), 33);
    List<Tensor> ofX = run(new Elementwise.PReluGrad(), x, with(x, 33, NAN), normal(17));
    onlyAt(ofX.get(Elementwise.PReluGrad.DSLOPE), 33 % 17);
  }

  /** Exactly the squares that hold the NaN give it on, and padding none. */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void averagePool(boolean countIncludePad) {
    Pooling.AveragePool op = new Pooling.AveragePool(3, 2, 1, countIncludePad);
    Tensor y = run(op, with(normal(1, 7, 7, 17), (3 * 7 + 4) * 17 + 5, NAN)).getFirst();
    for (int i = 0; i < y.count(); i++) {
      int top = i / 17 / 4 * 2 - 1;
      int left = i / 17 % 4 * 2 - 1;
      boolean holds = top <= 3 && 3 < top + 3 && left <= 4 && 4 < left + 3;
      assertThat(Double.isNaN(y.values()[i])).isEqualTo(holds && i % 17 == 5);
    }
  }

  /** What the quantiser clamps has no influence, so that not even a NaN passes there. */
  @Test
  void fakeQuantizationGradient() {
    Op op = new Quantization.FakeQuantGrad(new Quantization.FakeQuant(4, StraightThrough.IN_RANGE));
    Tensor range = Tensor.of(f32(2), -1, 2);
    Tensor x = Tensor.fill(f32(40), () -> .5);
    onlyAt(run(op, with(normal(40), 33, NAN), x, range).getFirst(), 33);
    Tensor clamped = run(op, with(normal(40), 33, NAN), with(x, 33, 5), range).getFirst();
    assertThat(clamped.values()[33]).isZero();
    assertThat(run(op, normal(40), with(x, 33, NAN), range).getFirst().values()[33]).isZero();
  }

  @Test
  void boxesThatNameNoPixel() {
    int[][] bad = {
      {2, 0, 0, 8, 8, 0}, {-1, 0, 0, 8, 8, 0}, {0, 0, 0, 0, 8, 0}, {0, 0, 0, 8, -1, 1}
    };
    for (int[] box : bad) {
      double[] boxes = new double[12];
      for (int i = 0; i < 6; i++) {
        boxes[i] = box[i];
      }
      boxes[9] = 8;
      boxes[10] = 8;
      Tensor y =
          run(
                  new org.hast4j.graph.Random.CropFlip(8, 8),
                  normal(2, 8, 8, 3),
                  Tensor.of(i32(2, 6), boxes))
              .getFirst();
      for (int i = 0; i < y.count(); i++) {
        assertThat(Double.isNaN(y.values()[i]))
            .as(Arrays.toString(box))
            .isEqualTo(i < y.count() / 2);
      }
    }
  }

  @Test
  void aLossOfNanIsABadStepOfThePlateau() {
    List<Tensor> results =
        run(
            new Optimizer.SampleStep(.9f, .999f, 1e-8f, .1f, 1e-4f, 1e-4f, 1e-8f, 50),
            Tensor.of(f32(1), 2),
            Tensor.zeros(f32(1)),
            Tensor.zeros(f32(1)),
            Tensor.of(f32(3), .5f, 1, 3),
            Tensor.zeros(i64(1)),
            Tensor.of(f32(1), 1),
            Tensor.of(f32(1), NAN));
    // Adam's first step is as long as the learning rate.
    assertThat(results.get(0).values()[0]).isCloseTo(1.5, within(1e-6));
    assertThat(results.get(3).values()).containsExactly(.5, 1, 4);
    assertThat(results.get(4).values()).containsExactly(1);
  }
}
