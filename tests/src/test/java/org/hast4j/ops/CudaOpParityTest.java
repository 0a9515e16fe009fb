package org.hast4j.ops;

import java.util.List;
import java.util.stream.Stream;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.graph.Convolution;
import org.hast4j.kernel.Precision;
import org.hast4j.oracle.Oracle;
import org.hast4j.oracle.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The CUDA kernels on a GPU, against the oracle, and their inline PTX against its plain twin. */
class CudaOpParityTest extends GpuOpParity {
  // Both round factors alike and sum in single precision, in another order.
  private static final double ORDER = 2e-5;

  CudaOpParityTest() {
    super(Platform.CUDA);
  }

  /** Of the products those that tensor cores compute: the others are in single precision. */
  static Stream<OpCase> convolutions() {
    return products()
        .filter(
            test ->
                switch (test.op()) {
                  case Convolution.Conv2d _,
                      Convolution.Conv2dDataGrad _,
                      Convolution.Conv2dWeightGrad _ ->
                      true;
                  default -> false;
                });
  }

  @ParameterizedTest
  @MethodSource("convolutions")
  void agreesWithThePlainTwinOfItsInstructions(OpCase test) {
    Platform.EMULATED.assumeUsable();
    List<byte[]> results = new OpRun(tensorCores(), test, false).run();
    try (OpenDevice emulated =
        Platform.EMULATED.open(Platform.EMULATED.options(1, Precision.TF32, Launching.CAPTURED))) {
      Tensor twin =
          OpRun.tensor(
              new OpRun(emulated, test, false).run().getFirst(), test.results().getFirst());
      OpCase close = new OpCase(test.name(), test.op(), test.inputs(), test.wanted(), ORDER);
      check(
          "y",
          OpRun.tensor(results.getFirst(), test.results().getFirst()),
          new Oracle.Bounds(twin, twin),
          close);
    }
  }
}
