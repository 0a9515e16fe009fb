package org.hast4j.device.driver;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the emulated libraries find, against kernels with one defect each: races and accesses out of
 * bounds (watch_test.cu of cuda-kernels/emulation), misaligned accesses (trap_test.cu); and what
 * they count, against counts by hand (traffic_test.cu).
 */
class EmulationTest {
  private static final Path PROGRAMS = Path.of("../cuda-kernels/target/cmake");

  @ParameterizedTest
  @ValueSource(strings = {"hast_watch_test", "hast_trap_test", "hast_traffic_test"})
  void judgesKernelsRight(String name) throws IOException, InterruptedException {
    Platform.WATCHED.assumeUsable();
    Process process =
        new ProcessBuilder(PROGRAMS.resolve(name).toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String wrong = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as("kernels judged wrongly: %s", wrong).isZero();
  }
}
