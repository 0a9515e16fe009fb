package org.hast4j.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.hast4j.graph.TensorType.f32;
import static org.hast4j.graph.TensorType.i32;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Random;
import org.hast4j.graph.TensorType;
import org.hast4j.oracle.Oracle;
import org.hast4j.oracle.Tensor;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.ActivationFunction.Kind;
import org.hast4j.tensor.StraightThrough;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is fused gives the bits of its parts; what is left out changes nothing else. */
class FusedKernelTest {
  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  static Stream<OpCase> quantized() {
    return batchNorms().filter(test -> ((Norm.BnAct) test.op()).bits() > 0);
  }

  static Stream<OpCase> batchNorms() {
    return OpCases.all().stream().filter(test -> test.op() instanceof Norm.BnAct);
  }

  private static List<byte[]> run(Op op, Set<Integer> wanted, List<Tensor> inputs) {
    return new OpRun(DEVICES.open(), new OpCase("part", op, inputs, wanted, 0), false).run();
  }

  @ParameterizedTest
  @MethodSource("quantized")
  void aFusedQuantizerIsTheQuantizer(OpCase test) {
    Norm.BnAct op = (Norm.BnAct) test.op();
    byte[] fused = run(op, Set.of(0), test.inputs()).getFirst();
    Norm.BnAct plain =
        new Norm.BnAct(
            op.affine(), op.residual(), 0, op.slope(), op.ceiling(), op.epsilon(), op.training());
    byte[] v = run(plain, Set.of(0), test.inputs().subList(0, op.rangeInput())).getFirst();
    Tensor values = OpRun.tensor(v, test.results().getFirst());
    byte[] separate =
        run(
                new Quantization.FakeQuant(op.bits()),
                Set.of(0),
                List.of(values, test.inputs().get(op.rangeInput())))
            .getFirst();
    assertThat(fused).isEqualTo(separate);
  }

  @ParameterizedTest
  @MethodSource("batchNorms")
  void aFusedActivationIsTheActivation(OpCase test) {
    Norm.BnAct op = (Norm.BnAct) test.op();
    List<Tensor> inputs = test.inputs().subList(0, op.rangeInput());
    Norm.BnAct fused =
        new Norm.BnAct(
            op.affine(), op.residual(), 0, op.slope(), op.ceiling(), op.epsilon(), op.training());
    Norm.BnAct plain =
        new Norm.BnAct(op.affine(), op.residual(), 0, 1, op.epsilon(), op.training());
    TensorType type = test.results().getFirst();
    Tensor v = OpRun.tensor(run(plain, Set.of(0), inputs).getFirst(), type);
    Elementwise.Activation activation =
        new Elementwise.Activation(new ActivationFunction(Kind.RELU, op.slope(), op.ceiling()));
    List<byte[]> expected = run(fused, Set.of(0, 1), inputs);
    assertThat(run(activation, Set.of(0), List.of(v)).getFirst()).isEqualTo(expected.getFirst());
    Tensor ones = Tensor.fill(type, () -> 1);
    byte[] gradient =
        run(new Elementwise.ActivationGrad(activation), Set.of(0), List.of(ones, v)).getFirst();
    byte[] mask = expected.get(1);
    double[] slopes = OpRun.tensor(gradient, type).values();
    for (int i = 0; i < mask.length; i++) {
      assertThat(slopes[i])
          .as("slope at %s", v.values()[i])
          .isEqualTo(mask[i] != 0 ? 1 : op.slope());
    }
  }

  /** The gradient in range is the one that a batch norm's mask passes. */
  @Test
  void aQuantizersGradientStopsBeyondTheRange() {
    double[] values = {-1, -.51, -.5, .4, 3, 3.4, 3.5, 3.6, 100};
    double[] passes = {0, 0, 1, 1, 1, 1, 0, 0, 0};
    Op op = new Quantization.FakeQuantGrad(new Quantization.FakeQuant(2, StraightThrough.IN_RANGE));
    Tensor dy = Tensor.fill(f32(values.length), () -> 1);
    List<Tensor> inputs = List.of(dy, Tensor.of(dy.type(), values), Tensor.of(f32(2), 0, 3));
    assertThat(OpRun.tensor(run(op, Set.of(0), inputs).getFirst(), dy.type()).values())
        .containsExactly(passes);
  }

  /**
   * Which outputs are asked for decides which loop runs: values and mask must not notice; sums may.
   */
  @ParameterizedTest
  @MethodSource("batchNorms")
  void leavingOutputsOutChangesNoOther(OpCase test) {
    List<byte[]> some = run(test.op(), test.wanted(), test.inputs());
    List<byte[]> all = run(test.op(), Set.of(0, 1, 2, 3, 4), test.inputs());
    for (int output : List.of(Norm.BnAct.Y, Norm.BnAct.MASK)) {
      if (!test.wanted().contains(output)) {
        continue;
      }
      assertThat(some.get(output)).as("output %d", output).isEqualTo(all.get(output));
    }
  }

  /** A batch norm's mask is that of its own values. */
  @ParameterizedTest
  @MethodSource("batchNorms")
  void theMaskIsThatOfTheValues(OpCase test) {
    Norm.BnAct op = (Norm.BnAct) test.op();
    Norm.BnAct plain =
        new Norm.BnAct(op.affine(), op.residual(), 0, 1, op.epsilon(), op.training());
    List<byte[]> results = run(plain, Set.of(0, 1), test.inputs().subList(0, op.rangeInput()));
    Tensor v = OpRun.tensor(results.getFirst(), test.results().getFirst());
    byte[] mask = run(op, Set.of(0, 1), test.inputs()).get(1);
    for (int i = 0; i < mask.length; i++) {
      assertThat(mask[i] != 0)
          .as("mask[%d] of %s", i, v.values()[i])
          .isEqualTo(
              v.values()[i] > 0 && v.values()[i] < op.ceiling() && !stopped(test, v.values()[i]));
    }
  }

  /** Whether a value is clamped where no gradient passes then. */
  private static boolean stopped(OpCase test, double v) {
    Norm.BnAct op = (Norm.BnAct) test.op();
    if (op.straightThrough() == StraightThrough.EVERYWHERE) {
      return false;
    }
    double[] range = test.inputs().get(op.rangeInput()).values();
    return Oracle.clamps((float) v, (float) range[0], (float) range[1], op.bits());
  }

  /** Range 0 to 3, 2 bits: levels stand for 0, 1, 2 and 3, and 3.5, to even, would be the fifth. */
  @Test
  void noGradientPassesBeyondTheRange() {
    double[] values = {-1, .4, 3, 3.4, 3.5, 3.6, 100};
    int[] passes = {0, 1, 1, 1, 0, 0, 0};
    Tensor u = Tensor.of(f32(1, 1, 1, values.length), values);
    Tensor zero = Tensor.fill(f32(values.length), () -> 0);
    Tensor one = Tensor.fill(f32(values.length), () -> 1);
    Tensor range = Tensor.of(f32(2), 0, 3);
    Op op =
        new Norm.BnAct(
            false, false, 2, StraightThrough.IN_RANGE, 0, Float.POSITIVE_INFINITY, 0, false);
    List<byte[]> results = run(op, Set.of(0, 1), List.of(u, zero, one, range));
    assertThat(OpRun.tensor(results.get(Norm.BnAct.Y), u.type()).values())
        .containsExactly(0, 0, 3, 3, 3, 3, 3);
    assertThat(results.get(Norm.BnAct.MASK)).containsExactly(passes);
  }

  /** Zero is not above zero: no gradient passes a ReLU there. */
  @Test
  void theMaskOfZeroIsZero() {
    Tensor u = Tensor.fill(f32(2, 3, 3, 17), () -> 1.5);
    Tensor mean = Tensor.fill(f32(17), () -> 1.5);
    Tensor variance = Tensor.fill(f32(17), () -> 1);
    Op op = new Norm.BnAct(false, false, 0, .2f, 1e-5f, false);
    assertThat(run(op, Set.of(0, 1), List.of(u, mean, variance)).get(1)).containsOnly(0);
  }

  /** No gradient passes a ReLU6 at 6 and beyond, as in PyTorch; below the last float does. */
  @Test
  void theMaskOfTheCeilingIsZero() {
    double[] values = {-1, 0, 5, Math.nextDown(6f), 6, Math.nextUp(6f), Float.POSITIVE_INFINITY};
    int[] passes = {0, 0, 1, 1, 0, 0, 0};
    double[] activated = {-0.0, 0, 5, Math.nextDown(6f), 6, 6, 6};
    Tensor u = Tensor.of(f32(1, 1, 1, values.length), values);
    Tensor zero = Tensor.fill(f32(values.length), () -> 0);
    Tensor one = Tensor.fill(f32(values.length), () -> 1);
    Op op = new Norm.BnAct(false, false, 0, 0, 6, 0, false);
    List<byte[]> results = run(op, Set.of(0, 1), List.of(u, zero, one));
    assertThat(OpRun.tensor(results.get(Norm.BnAct.Y), u.type()).values())
        .containsExactly(activated);
    assertThat(results.get(Norm.BnAct.MASK)).containsExactly(passes);
  }

  /** Without a ceiling there is none for infinity either. */
  @Test
  void infinityPassesAnUnboundedRelu() {
    Tensor u = Tensor.fill(f32(1, 2, 2, 5), () -> Double.POSITIVE_INFINITY);
    Tensor zero = Tensor.fill(f32(5), () -> 0);
    Tensor one = Tensor.fill(f32(5), () -> 1);
    List<byte[]> results =
        run(new Norm.BnAct(false, false, 0, 0, 0, false), Set.of(0, 1), List.of(u, zero, one));
    assertThat(OpRun.tensor(results.get(Norm.BnAct.Y), u.type()).values())
        .containsOnly(Double.POSITIVE_INFINITY);
    assertThat(results.get(Norm.BnAct.MASK)).containsOnly(1);
  }

  @Test
  void aBoxOfTheOutputSizeIsCopiedExactly() {
    Tensor images = Tensor.fill(f32(2, 9, 7, 3), new java.util.Random(1)::nextGaussian);
    Tensor boxes = Tensor.of(i32(2, 6), 1, 0, 0, 9, 7, 0, 0, 0, 0, 9, 7, 1);
    byte[] bytes = run(new Random.CropFlip(9, 7), Set.of(0), List.of(images, boxes)).getFirst();
    double[] y = OpRun.tensor(bytes, f32(2, 9, 7, 3)).values();
    int size = 9 * 7 * 3;
    assertThat(Arrays.copyOf(y, size))
        .containsExactly(Arrays.copyOfRange(images.values(), size, 2 * size));
    List<Double> flipped = new ArrayList<>();
    for (int i = 0; i < size; i++) {
      flipped.add(images.values()[i / 21 * 21 + (6 - i / 3 % 7) * 3 + i % 3]);
    }
    assertThat(Arrays.stream(y).skip(size).boxed()).containsExactlyElementsOf(flipped);
  }

  /** Accumulating is adding to what the plain kernel gives, up to one rounding. */
  @ParameterizedTest
  @MethodSource("accumulations")
  void accumulatingIsAddition(OpCase test) {
    Op plain =
        switch (test.op()) {
          case Convolution.Conv2dDataGrad op ->
              new Convolution.Conv2dDataGrad(op.forward(), op.x(), false);
          case Convolution.DepthwiseConv2dDataGrad op ->
              new Convolution.DepthwiseConv2dDataGrad(op.forward(), op.x(), false);
          default -> throw new IllegalArgumentException(test.name());
        };
    TensorType x = test.results().getFirst();
    Tensor dx = OpRun.tensor(run(plain, Set.of(0), test.inputs().subList(0, 2)).getFirst(), x);
    Tensor sum = OpRun.tensor(run(test.op(), Set.of(0), test.inputs()).getFirst(), x);
    for (int i = 0; i < dx.count(); i++) {
      double expected = dx.values()[i] + test.inputs().get(2).values()[i];
      double slack = 1e-6 * (Math.abs(dx.values()[i]) + Math.abs(expected) + 1);
      assertThat(Math.abs(sum.values()[i] - expected) <= slack).as("dx[%d]", i).isTrue();
    }
  }

  static Stream<OpCase> accumulations() {
    return OpCases.all().stream()
        .filter(
            test ->
                test.op().accumulates()
                    && (test.op() instanceof Convolution.Conv2dDataGrad
                        || test.op() instanceof Convolution.DepthwiseConv2dDataGrad));
  }
}
