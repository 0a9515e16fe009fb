package org.hast4j.ops;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.EnumSet;
import java.util.List;
import java.util.stream.Stream;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.kernel.Precision;
import org.hast4j.oracle.Oracle;
import org.hast4j.tensor.ActivationFunction.Kind;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What CUDA kernels add to the CPU's: convolutions and matrix products whose factors are rounded to
 * TF32.
 */
abstract class GpuOpParity extends OpParity {
  // Each factor is off by at most 2^-11; the cases' outputs are about 1.
  private static final double TF32 = 2e-3;

  @RegisterExtension final Devices cpu = new Devices(Platform.CPU);

  private final Platform platform;
  private OpenDevice tensorCores;

  GpuOpParity(Platform platform) {
    super(platform);
    this.platform = platform;
  }

  @BeforeAll
  void open() {
    tensorCores = platform.open(platform.options(1, Precision.TF32, Launching.CAPTURED));
  }

  @AfterAll
  void close() {
    tensorCores.close();
  }

  /** Operations that the headers promise the same bits of in every library, beside quantisers. */
  static Stream<OpCase> exact() {
    return cases()
        .filter(
            test ->
                switch (test.op()) {
                  case Elementwise.Activation op -> piecewiseLinear(op);
                  case Elementwise.ActivationGrad op -> piecewiseLinear(op.forward());
                  case Elementwise.Add _, Elementwise.Mul _, Elementwise.PRelu _ -> true;
                  default -> false;
                });
  }

  private static boolean piecewiseLinear(Elementwise.Activation op) {
    return EnumSet.of(Kind.RELU, Kind.HARD_SIGMOID, Kind.HARD_SWISH).contains(op.function().kind());
  }

  @ParameterizedTest
  @MethodSource("exact")
  void agreesWithTheCpuBitForBit(OpCase test) {
    List<byte[]> expected = new OpRun(cpu.open(2), test, false).run();
    assertThat(new OpRun(devices.open(2), test, false).run().getFirst())
        .isEqualTo(expected.getFirst());
  }

  OpenDevice tensorCores() {
    return tensorCores;
  }

  static Stream<OpCase> products() {
    return cases()
        .filter(
            test ->
                switch (test.op()) {
                  case Convolution.Conv2d _,
                      Convolution.Conv2dDataGrad _,
                      Convolution.Conv2dWeightGrad _ ->
                      true;
                  case Convolution.Linear _,
                      Convolution.LinearDataGrad _,
                      Convolution.LinearWeightGrad _ ->
                      true;
                  default -> false;
                });
  }

  /** Of the cases those that cuDNN has words for: with as much padding on both sides. */
  static boolean isSymmetric(OpCase test) {
    return switch (test.op()) {
      case Convolution.Conv2d op -> op.window().isSymmetric();
      case Convolution.Conv2dDataGrad op -> op.forward().window().isSymmetric();
      case Convolution.Conv2dWeightGrad op -> op.forward().window().isSymmetric();
      default -> true;
    };
  }

  @ParameterizedTest
  @MethodSource("products")
  void agreesWithTheOracleOnTensorCores(OpCase test) {
    List<byte[]> results = new OpRun(tensorCores, test, false).run();
    List<Oracle.Bounds> expected = Oracle.bounds(test.op(), test.inputs(), 0);
    OpCase loose = new OpCase(test.name(), test.op(), test.inputs(), test.wanted(), TF32);
    for (int i = 0; i < results.size(); i++) {
      if (test.wants(i)) {
        check(
            "result " + i,
            OpRun.tensor(results.get(i), test.results().get(i)),
            expected.get(i),
            loose);
      }
    }
  }
}
