package org.hast4j.ops;


import java.util.List;
import org.hast4j.device.Devices;
import org.hast4j.device.Platform;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The threads of every CUDA kernel read and write shared and global memory in an order that
 * barriers and fences make: a launch that a GPU could run in another order fails, whatever the
 * result. That the detector detects is {@link RaceDetectorTest}'s business.
 */
class RaceTest {
  @RegisterExtension static final Devices DEVICES = new Devices(Platform.WATCHED);

  static List<OpCase> cases() {
    return OpCases.all();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void noThreadRacesAnother(OpCase test) {
    new OpRun(DEVICES.open(1), test, false).run();
  }
}
