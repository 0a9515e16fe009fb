package org.hast4j.device.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.Precision;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Which processors a CPU device's threads may use, as the system tells. */
class PinningTest {
  private static final String ALLOWED = "Cpus_allowed_list:\t";
  private static final Path CALLER = Path.of("/proc/thread-self/status");

  /** The processors a thread may use, such as "0-3". */
  private static String allowed(Path status) {
    try (Stream<String> lines = Files.lines(status)) {
      return lines
          .filter(line -> line.startsWith(ALLOWED))
          .map(line -> line.substring(ALLOWED.length()))
          .findFirst()
          .orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String online() throws IOException {
    return Files.readString(Path.of("/sys/devices/system/cpu/online")).strip();
  }

  /** Of this process's threads those that may use one processor only: which. */
  private static List<String> pinned() throws IOException {
    try (Stream<Path> threads = Files.list(Path.of("/proc/self/task"))) {
      return threads
          .map(thread -> allowed(thread.resolve("status")))
          .filter(list -> list.matches("\\d+"))
          .sorted()
          .toList();
    }
  }

  @BeforeEach
  void mayUseTheWholeMachine() throws IOException {
    assumeTrue(allowed(CALLER).equals(online()), "only some of the processors may be used");
    assumeTrue(online().matches("0-\\d+"), "there are gaps between the processors");
  }

  private static int processors() throws IOException {
    return Integer.parseInt(online().substring(2)) + 1;
  }

  static IntStream fewerOrMoreThreads() {
    int all = Runtime.getRuntime().availableProcessors();
    return IntStream.of(1, 2, all / 2, all - 1, all + 1)
        .filter(threads -> threads >= 1 && threads != all)
        .distinct();
  }

  private static OpenDevice open(int threads, boolean pinned) {
    return OpenDevice.open(
        Backend.CPU,
        new OpenDevice.Options(
            threads, pinned, Precision.FP32, Launching.SINGLE, ConvolutionChoice.OWN));
  }

  @ParameterizedTest
  @MethodSource("fewerOrMoreThreads")
  void partOfTheMachineIsLeftToTheSystem(int threads) throws IOException {
    try (OpenDevice device = open(threads, true)) {
      assertThat(device.options().threads()).isEqualTo(threads);
      assertThat(allowed(CALLER)).isEqualTo(online());
      assertThat(pinned()).isEmpty();
    }
  }

  @Test
  void theWholeMachineIsSharedOutUntilTheDeviceIsClosed() throws IOException {
    try (OpenDevice device = open(processors(), false)) {
      assertThat(device.options().pinned()).isFalse();
      assertThat(pinned()).isEmpty();
    }
    try (OpenDevice device = open(processors(), true)) {
      assertThat(device.options().pinned()).isTrue();
      assertThat(allowed(CALLER)).isEqualTo("0");
      assertThat(pinned())
          .containsExactlyElementsOf(
              IntStream.range(0, processors()).mapToObj(Integer::toString).sorted().toList());
    }
    assertThat(allowed(CALLER)).isEqualTo(online());
    assertThat(pinned()).isEmpty();
  }
}
