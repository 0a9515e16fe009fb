package org.hast4j.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.graph.TensorType.f32;
import static org.hast4j.graph.TensorType.i32;
import static org.hast4j.graph.TensorType.i64;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.ActivationFunction.Kind;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;
import org.hast4j.tensor.StraightThrough;
import org.hast4j.tensor.Window;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Operations with one input at a time of a wrong type: none may reach its kernel. */
class OpTypesTest {
  private static final TensorType X = f32(2, 8, 8, 3);
  private static final TensorType Y = f32(2, 4, 4, 5);
  private static final TensorType WEIGHT = f32(5, 3, 3, 3);
  private static final TensorType FILTERS = f32(3, 3, 3, 1);
  private static final TensorType C = f32(3);
  private static final TensorType MASK = new TensorType(DType.U8, Shape.of(2, 8, 8, 3));
  private static final Random.Augmentation SHIFT = new Random.Augmentation.Shift(1, true);

  /** An operation and types it accepts. */
  private record Good(Op op, List<TensorType> inputs) {
    static Good of(Op op, TensorType... inputs) {
      return new Good(op, List.of(inputs));
    }
  }

  static Stream<Good> operations() {
    Norm.BnAct norm = new Norm.BnAct(true, true, 4, 0, 1e-5f, true);
    return Stream.of(
        Good.of(new Convolution.Conv2d(2, 1), X, WEIGHT, f32(5)),
        Good.of(
            new Convolution.Conv2d(new Window(2, 2, 0, 0, 1, 1, 1, 1), 3),
            X,
            f32(6, 3, 3, 1),
            f32(6)),
        Good.of(
            new Convolution.Conv2dDataGrad(new Convolution.Conv2d(2, 1), X, true), Y, WEIGHT, X),
        Good.of(new Convolution.Conv2dWeightGrad(new Convolution.Conv2d(2, 1), WEIGHT), Y, X),
        Good.of(new Convolution.DepthwiseConv2d(2, 1), X, FILTERS, f32(3)),
        Good.of(
            new Convolution.DepthwiseConv2dDataGrad(new Convolution.DepthwiseConv2d(2, 1), X, true),
            f32(2, 4, 4, 3),
            FILTERS,
            X),
        Good.of(
            new Convolution.DepthwiseConv2dWeightGrad(
                new Convolution.DepthwiseConv2d(2, 1), FILTERS),
            f32(2, 4, 4, 3),
            X),
        Good.of(norm, X, C, C, C, C, X, f32(2)),
        Good.of(
            new Norm.BnActGrad(norm, true, true, true),
            X,
            X,
            C,
            C,
            C,
            C,
            MASK,
            f32(2, 3),
            f32(2, 3),
            C),
        Good.of(new Norm.BnRunningStep(.1f, 128), C, C, C, C),
        Good.of(new Loss.BnStatsLoss(128, 1, true), C, C, C, C, f32(1)),
        Good.of(new Convolution.Linear(), f32(2, 7), f32(4, 7), f32(4)),
        Good.of(new Convolution.LinearDataGrad(), f32(2, 4), f32(4, 7)),
        Good.of(new Convolution.LinearWeightGrad(), f32(2, 4), f32(2, 7)),
        Good.of(new Pooling.GlobalAvgPoolGrad(X), f32(2, 3)),
        Good.of(new Pooling.MaxPool(2, 3, new Window(2, 1, 1, 2, 0, 1, 1, 1)), X),
        Good.of(
            new Pooling.MaxPoolGrad(new Pooling.MaxPool(3, 2, 1), X),
            f32(2, 4, 4, 3),
            new TensorType(DType.U8, Shape.of(2, 4, 4, 3))),
        Good.of(new Pooling.UpsampleGrad(Y), f32(2, 8, 8, 5)),
        Good.of(new Elementwise.Embedding(), f32(10, 7), f32(2, 7), i32(2)),
        Good.of(new Elementwise.EmbeddingGrad(f32(10, 7)), f32(2, 7), f32(2, 7), i32(2)),
        Good.of(new Pooling.ShortcutGrad(2, X), f32(2, 4, 4, 6)),
        Good.of(new Elementwise.TanhGrad(), X, X),
        Good.of(
            new Elementwise.ActivationGrad(
                new Elementwise.Activation(new ActivationFunction(Kind.GELU))),
            X,
            X),
        Good.of(
            new Quantization.FakeQuantGrad(new Quantization.FakeQuant(4, StraightThrough.IN_RANGE)),
            X,
            X,
            f32(2)),
        Good.of(new Elementwise.PRelu(), X, C),
        Good.of(new Elementwise.PReluGrad(), X, X, C),
        Good.of(new Elementwise.Add(), X, X),
        Good.of(new Elementwise.Add(), X, f32(2, 3)),
        Good.of(new Elementwise.Mul(), X, X),
        Good.of(new Elementwise.Mul(), X, f32(2, 3)),
        Good.of(new Pooling.PixelSum(), X, X),
        Good.of(new Pooling.AveragePool(3, 2, 1, true), X),
        Good.of(
            new Pooling.AveragePoolGrad(new Pooling.AveragePool(3, 2, 1, false), X),
            f32(2, 4, 4, 3)),
        Good.of(new Pooling.Concat(), X, f32(2, 8, 8, 1), X),
        Good.of(new Pooling.Slice(1, 3), X),
        Good.of(new Pooling.SliceGrad(new Pooling.Slice(1, 3), X), f32(2, 8, 8, 2)),
        Good.of(new Pooling.ChannelShuffle(3), X),
        Good.of(new Pooling.Flatten(), X),
        Good.of(new Pooling.FlattenGrad(X), f32(2, 192)),
        Good.of(new Loss.FeatureAlign(64, 1, true), f32(2, 3), f32(2, 3), f32(1)),
        Good.of(new Random.Boxes(0, 4, SHIFT), i64(2), X, i32(9)),
        Good.of(new Random.CropFlip(8, 8), X, i32(4, 6)),
        Good.of(new Random.CropFlipGrad(X), f32(2, 5, 5, 3), i32(2, 6)),
        Good.of(new Random.GatherLabels(), i32(9), i32(4, 6)),
        Good.of(new Optimizer.AdamStep(.9f, .99f, 1e-8f), X, X, X, X, f32(1), i64(1)),
        Good.of(new Optimizer.SgdStep(.9f, 0, true), X, X, X, f32(1)),
        Good.of(new Optimizer.SgdStep(.9f, 0, true), X, X, X, f32(1), X),
        Good.of(new Optimizer.KeepBestStep(), X, f32(1), i64(1), X, f32(1), i64(1)),
        Good.of(
            new Optimizer.SampleStep(.9f, .99f, 1e-8f, .1f, 0, 0, 0, 1),
            X,
            X,
            X,
            f32(3),
            i64(1),
            X,
            f32(1)));
  }

  @ParameterizedTest
  @MethodSource("operations")
  void everyInputIsChecked(Good good) {
    assertThat(good.op.outputs(good.inputs)).isNotNull();
    for (int i = 0; i < good.inputs.size(); i++) {
      TensorType type = good.inputs.get(i);
      Shape shape = type.shape();
      TensorType otherElements =
          new TensorType(type.dtype() == DType.I32 ? DType.F32 : DType.I32, shape);
      TensorType otherRank = new TensorType(type.dtype(), Shape.of(1, shape.elements(), 1));
      List<TensorType> bad = new ArrayList<>(List.of(otherElements));
      // Steps take vectors in any shape.
      if (!(good.op.effect() && type.equals(X))) {
        bad.add(otherRank);
      }
      for (TensorType wrong : bad) {
        List<TensorType> inputs = new ArrayList<>(good.inputs);
        inputs.set(i, wrong);
        assertThatThrownBy(() -> good.op.outputs(inputs))
            .as("input %d of %s as %s", i, good.op, wrong)
            .isInstanceOf(IllegalArgumentException.class);
      }
    }
  }

  /** Above 0, and finite only for an activation that is flat below 0 too. */
  @ParameterizedTest
  @CsvSource({"0, 0", "0, -1", "0, NaN", "0.2, 6", "1, 6"})
  void ceilingsThatCannotBe(float slope, float ceiling) {
    assertThatThrownBy(() -> new Norm.BnAct(true, false, 0, slope, ceiling, 1e-5f, false))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("ceiling");
    assertThatThrownBy(() -> new ActivationFunction(Kind.RELU, slope, ceiling))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("ceiling");
  }

  /** Slope and ceiling are the ReLU's: another kind would silently ignore them. */
  @ParameterizedTest
  @CsvSource({"GELU, 0.2, Infinity", "SIGMOID, 0, 6"})
  void activationsWithoutParameters(Kind kind, float slope, float ceiling) {
    assertThatThrownBy(() -> new ActivationFunction(kind, slope, ceiling))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(kind.name());
  }

  @Test
  void aGradientThatIsTheIdentityIsNone() {
    assertThatThrownBy(() -> new Quantization.FakeQuantGrad(new Quantization.FakeQuant(4)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("identity");
  }

  static Stream<Good> misfits() {
    return Stream.of(
        Good.of(new Convolution.Conv2dDataGrad(new Convolution.Conv2d(1, 1), X, false), Y, WEIGHT),
        Good.of(new Convolution.Conv2dWeightGrad(new Convolution.Conv2d(1, 1), WEIGHT), Y, X),
        Good.of(new Convolution.DepthwiseConv2d(1, 1), X, f32(4, 3, 3, 1)),
        Good.of(new Convolution.DepthwiseConv2d(1, 1), X, f32(3, 3, 3, 3)),
        Good.of(new Convolution.Conv2d(new Window(1, 1), 2), X, f32(4, 3, 3, 1)),
        Good.of(new Convolution.Conv2d(new Window(1, 1), 3), X, f32(5, 3, 3, 1)),
        Good.of(new Convolution.Conv2d(new Window(1, 1), 3), X, f32(6, 3, 3, 3)),
        Good.of(new Convolution.Conv2d(new Window(1, 1), 0), X, WEIGHT),
        Good.of(new Convolution.Conv2d(new Window(1, 1, 1, 1, 1, 1, 5, 1), 1), X, WEIGHT),
        Good.of(new Convolution.DepthwiseConv2d(1, 0), X, f32(3, 9, 9, 1)),
        Good.of(
            new Convolution.DepthwiseConv2dDataGrad(
                new Convolution.DepthwiseConv2d(1, 1), X, false),
            f32(2, 4, 4, 3),
            FILTERS),
        Good.of(
            new Convolution.DepthwiseConv2dWeightGrad(
                new Convolution.DepthwiseConv2d(1, 1), FILTERS),
            f32(2, 4, 4, 3),
            X),
        Good.of(new Convolution.Linear(), f32(2, 7), f32(4, 7), f32(5)),
        Good.of(new Convolution.LinearDataGrad(), f32(2, 5), f32(4, 7)),
        Good.of(new Convolution.LinearWeightGrad(), f32(3, 4), f32(2, 7)),
        Good.of(new Pooling.MaxPool(11, 1, 1), X),
        Good.of(new Pooling.MaxPool(3, 11, new Window(1, 1)), X),
        Good.of(new Pooling.AveragePool(11, 1, 1, true), X),
        Good.of(new Pooling.AveragePool(11, 3, new Window(1, 1), true), X),
        Good.of(new Elementwise.Mul(), X, f32(2, 4)),
        Good.of(new Elementwise.Mul(), X, f32(3, 3)),
        Good.of(new Elementwise.Mul(), f32(2, 3), X),
        Good.of(new Pooling.Concat(), X),
        Good.of(new Pooling.Concat(), X, f32(2, 8, 7, 3)),
        Good.of(new Pooling.Concat(), X, f32(2, 3)),
        Good.of(new Pooling.Slice(-1, 2), X),
        Good.of(new Pooling.Slice(1, 4), X),
        Good.of(new Pooling.Slice(2, 2), X),
        Good.of(new Pooling.ChannelShuffle(2), X),
        Good.of(new Pooling.ChannelShuffle(0), X),
        Good.of(new Pooling.Shortcut(2, 2), X),
        Good.of(new Pooling.Shortcut(0, 3), X),
        Good.of(new Random.CropFlip(8, 8), X, i32(4, 5)),
        Good.of(new Random.CropFlipGrad(X), f32(2, 5, 5, 3), i32(3, 6)),
        Good.of(new Loss.BnStatsLoss(128, 1, true), C, C, C, C, f32(2)),
        Good.of(new Elementwise.EmbeddingGrad(f32(10, 7)), f32(2, 6), f32(2, 7), i32(2)));
  }

  @ParameterizedTest
  @MethodSource("misfits")
  void sizesThatDoNotFit(Good misfit) {
    assertThatThrownBy(() -> misfit.op.outputs(misfit.inputs))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** Padding at one side that holds a window of 3x2 or more, dilation, and no window at all. */
  @ParameterizedTest
  @CsvSource({
    "3, 2, 3, 0, 0, 0, 1, 1",
    "3, 2, 0, 2, 0, 0, 1, 1",
    "3, 2, 0, 0, 4, 0, 1, 1",
    "3, 2, 0, 0, 0, 2, 1, 1",
    "3, 2, 0, 0, 0, 0, 2, 1",
    "3, 2, 0, 0, 0, 0, 1, 3",
    "0, 2, 0, 0, 0, 0, 1, 1",
    "3, -1, 0, 0, 0, 0, 1, 1"
  })
  void poolsThatCannotBe(
      int r, int s, int top, int left, int bottom, int right, int dilationH, int dilationW) {
    Window window = new Window(1, 1, top, left, bottom, right, dilationH, dilationW);
    assertThatThrownBy(() -> new Pooling.MaxPool(r, s, window))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("%dx%d with %s", r, s, window);
    assertThatThrownBy(() -> new Pooling.AveragePool(r, s, window, false))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("%dx%d with %s", r, s, window);
  }

  @Test
  void cellsOfAMaxPoolAreBytes() {
    Window window = new Window(1, 0);
    assertThat(new Pooling.MaxPool(2, 128, window).window()).isEqualTo(window);
    assertThatThrownBy(() -> new Pooling.MaxPool(257, 1, window))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("257x1");
    assertThatThrownBy(() -> new Pooling.MaxPool(1 << 16, 1 << 16, window))
        .isInstanceOf(IllegalArgumentException.class);
  }

  private static TensorType half(TensorType type) {
    return new TensorType(DType.F16, type.shape());
  }

  static Stream<Good> halves() {
    TensorType x = half(X);
    Norm.BnAct norm = new Norm.BnAct(true, true, 4, 0, 1e-5f, true);
    return Stream.of(
        Good.of(new Convolution.Conv2d(2, 1), x, half(WEIGHT), f32(5)),
        Good.of(new Convolution.DepthwiseConv2d(2, 1), x, half(FILTERS)),
        Good.of(new Convolution.Linear(), half(f32(2, 3)), half(f32(4, 3)), f32(4)),
        Good.of(norm, x, C, C, C, C, x, f32(2)),
        Good.of(new Quantization.FakeQuant(4), x, f32(2)),
        Good.of(new Elementwise.Activation(ActivationFunction.relu()), x),
        Good.of(new Elementwise.Add(), x, half(f32(2, 3))),
        Good.of(new Pooling.Concat(), x, x),
        Good.of(new Pooling.Slice(0, 2), x),
        Good.of(new Pooling.GlobalAvgPool(), x),
        Good.of(new Pooling.Shortcut(2, 5), x),
        Good.of(new Pooling.MaxPool(2, 2, 0), x));
  }

  /** What comes in as halves goes out as halves; halves and singles do not mix. */
  @ParameterizedTest
  @MethodSource("halves")
  void elementsRunThrough(Good good) {
    assertThat(good.op().outputs(good.inputs()).getFirst().dtype()).isEqualTo(DType.F16);
    for (int i = 1; i < good.inputs().size(); i++) {
      if (good.inputs().get(i).dtype() == DType.F16) {
        List<TensorType> mixed = new ArrayList<>(good.inputs());
        mixed.set(i, new TensorType(DType.F32, mixed.get(i).shape()));
        assertThatThrownBy(() -> good.op().outputs(mixed))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("F16");
      }
    }
  }
}
