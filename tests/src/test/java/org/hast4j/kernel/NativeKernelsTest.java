package org.hast4j.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/**
 * What sessions call, checked by a program without Java: on this machine, and on an emulated one of
 * another kind where the build was asked for its library and the emulator is there.
 */
class NativeKernelsTest {
  private static final Path NATIVE = Path.of("../native/target");

  private static void allRight(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(out).isZero();
    assertThat(out.lines()).hasSizeGreaterThan(20).allMatch(line -> line.startsWith("right "));
  }

  @Test
  void here() throws IOException, InterruptedException {
    allRight(NATIVE.resolve("cmake/hast_kernels").toString());
  }

  @Test
  void onAarch64() throws IOException, InterruptedException {
    Path program = NATIVE.resolve("aarch64/cmake/hast_kernels");
    assumeThat(program).as("built by mvn -Paarch64").exists();
    boolean emulator =
        Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
            .anyMatch(folder -> Files.isExecutable(Path.of(folder, "qemu-aarch64")));
    assumeThat(emulator).as("qemu-user is installed").isTrue();
    allRight("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", program.toString());
  }
}
