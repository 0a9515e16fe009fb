package org.hast4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import org.hast4j.device.driver.Platform;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command line where the emulated device and the libraries that stand in for NVIDIA's are. */
class StandinProcessTest {
  @TempDir private Path scratch;

  @BeforeAll
  static void needsTheStandIns() {
    Platform.STANDIN.assumeUsable();
  }

  private HastProcess.Outcome hast(String... arguments) {
    return HastProcess.runOn(Platform.EMULATED_LIBRARY, scratch, arguments);
  }

  @Test
  void devicesNamesTheLibrariesItFinds() throws IOException {
    HastProcess.Outcome devices = hast("devices");
    assertThat(devices.out() + devices.err())
        .contains("cuda:0  emulated device 0", "cuda:1  emulated device 1")
        .contains("convolutions: own kernels or cuDNN 9.19.0, whichever is faster")
        .contains("matrix products: own kernels or cuBLASLt 13.1.0, whichever is faster");
    JsonNode cuda = new ObjectMapper().readTree(hast("devices", "--json").out()).get(1);
    assertThat(cuda.path("devices")).hasSize(2);
    assertThat(cuda.path("cudnn").asText()).isEqualTo("9.19.0");
    assertThat(cuda.path("cublasLt").asText()).isEqualTo("13.1.0");
  }
}
