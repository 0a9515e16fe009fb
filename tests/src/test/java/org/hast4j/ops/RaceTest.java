package org.hast4j.ops;

import java.util.List;
import java.util.stream.Stream;
import org.hast4j.device.Device;
import org.hast4j.device.Launching;
import org.hast4j.device.Platform;
import org.hast4j.kernel.Precision;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The threads of every CUDA kernel touch shared and global memory in an order that barriers and
 * fences make: a launch in which a GPU could choose another order fails, whatever its result. That
 * such launches are found is {@link org.hast4j.device.RaceDetectorTest}'s business.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class RaceTest {
  private Device singlePrecision;
  private Device tensorCores;

  @BeforeAll
  void open() {
    Platform platform = Platform.WATCHED;
    platform.assumeUsable();
    singlePrecision = platform.open(platform.options(1, Precision.FP32, Launching.CAPTURED));
    tensorCores = platform.open(platform.options(1, Precision.TF32, Launching.CAPTURED));
  }

  @AfterAll
  void close() {
    for (Device device : new Device[] {singlePrecision, tensorCores}) {
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

  @ParameterizedTest
  @MethodSource("cases")
  void noThreadRacesAnother(OpCase test) {
    new OpRun(singlePrecision, test, false).run();
  }

  @ParameterizedTest
  @MethodSource("products")
  void noThreadRacesAnotherOnTensorCores(OpCase test) {
    new OpRun(tensorCores, test, false).run();
  }
}
