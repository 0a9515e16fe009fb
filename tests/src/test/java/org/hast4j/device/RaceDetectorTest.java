package org.hast4j.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The detector of races against kernels with one defect each (native/emulation/watch_test.cu). */
class RaceDetectorTest {
  private static final Path PROGRAM = Path.of("../cuda-kernels/target/cmake/hast_watch_test");

  @Test
  void tellsDefectiveKernelsFromSoundOnes() throws IOException, InterruptedException {
    Platform.WATCHED.assumeUsable();
    Process process =
        new ProcessBuilder(PROGRAM.toString())
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    String wrong = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as("kernels judged wrongly: %s", wrong).isZero();
  }
}
