package org.hast4j.ops;

import java.util.List;
import java.util.stream.Stream;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.kernel.Precision;
import org.hast4j.oracle.Tensor;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The threads of every CUDA kernel touch shared and global memory in an order that barriers and
 * fences make, and no other memory than theirs: a launch in which a GPU could choose another order,
 * or that reads on where a tensor ends, fails, whatever its result. That such launches are found is
 * {@link org.hast4j.device.driver.EmulationTest}'s business.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RaceTest {
  private static final int VECTOR = 16;

  private OpenDevice singlePrecision;
  private OpenDevice tensorCores;

  @BeforeAll
  void open() {
    Platform platform = Platform.WATCHED;
    platform.assumeUsable();
    singlePrecision = platform.open(platform.options(1, Precision.FP32, Launching.CAPTURED));
    tensorCores = platform.open(platform.options(1, Precision.TF32, Launching.CAPTURED));
  }

  @AfterAll
  void close() {
    for (OpenDevice device : new OpenDevice[] {singlePrecision, tensorCores}) {
      if (device != null) {
        device.close();
      }
    }
  }

  static List<OpCase> cases() {
    return OpCases.all();
  }

  static Stream<OpCase> products() {
    return GpuOpParity.products();
  }

  /**
   * With no byte between the ends of tensors and of their memory; and so that kernels find
   * addresses for vectors, which tensors of odd sizes then do not have.
   */
  private static void run(OpenDevice device, OpCase test) {
    OpRun.atTheEnd(device, test, 1).run();
    if (Stream.concat(test.inputs().stream().map(Tensor::type), test.results().stream())
        .anyMatch(type -> type.bytes() % VECTOR != 0)) {
      OpRun.atTheEnd(device, test, VECTOR).run();
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void noThreadRacesAnother(OpCase test) {
    run(singlePrecision, test);
  }

  @ParameterizedTest
  @MethodSource("products")
  void noThreadRacesAnotherOnTensorCores(OpCase test) {
    run(tensorCores, test);
  }
}
