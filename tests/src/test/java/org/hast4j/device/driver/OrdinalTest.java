package org.hast4j.device.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.graph.TensorType.f32;

import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.Value;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Precision;
import org.hast4j.kernel.abi.DeviceMemory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One of several devices, of which the emulation has two. */
class OrdinalTest {
  private static final OpenDevice.Options OPTIONS =
      Platform.EMULATED.options(1, Precision.FP32, Launching.CAPTURED);

  @BeforeAll
  static void needsTheEmulation() {
    Platform.EMULATED.assumeUsable();
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void allOfADeviceGoesToIt(int ordinal) {
    try (KernelLibrary observer = Platform.EMULATED.load();
        OpenDevice device = OpenDevice.open(Platform.EMULATED.load(), ordinal, OPTIONS)) {
      assertThat(device.ordinal()).isEqualTo(ordinal);
      assertThat(device.description()).startsWith("emulated device " + ordinal);
      long other = free(observer, 1 - ordinal);
      long own = free(observer, ordinal);
      // Whoever asked last leaves another device current.
      assertThat(free(observer, 1 - ordinal)).isEqualTo(other);
      try (Buffer buffer = device.allocate("data", 1 << 20)) {
        assertThat(buffer.bytes()).isEqualTo(1 << 20);
        assertThat(free(observer, 1 - ordinal)).isEqualTo(other);
        assertThat(free(observer, ordinal)).isEqualTo(own - (1 << 20));
      }
      assertThat(free(observer, ordinal)).isEqualTo(own);
    }
  }

  private static long free(KernelLibrary library, int ordinal) {
    return new DeviceMemory(library).ordinal(ordinal).call().freeBytes();
  }

  @Test
  void theSecondComputes() {
    Graph graph = new Graph();
    Storage in = Storage.of("in", f32(4));
    Storage out = Storage.of("out", f32(4));
    Value value = graph.variable(in, f32(4));
    graph.keep(graph.value(new Elementwise.Add(), value, value), out);
    try (OpenDevice device = OpenDevice.open(Platform.EMULATED.load(), 1, OPTIONS);
        Memory memory = new Memory(device);
        Program program = Program.compile("program", graph, memory)) {
      memory.buffer(in).upload(0, new float[] {1, 2, 3, 4});
      program.run();
      assertThat(memory.floats(out)).containsExactly(2, 4, 6, 8);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 2, 7})
  void anotherIsRefusedWithWhatThereIs(int ordinal) {
    KernelLibrary library = Platform.EMULATED.load();
    assertThatThrownBy(() -> OpenDevice.open(library, ordinal, OPTIONS))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("CUDA has no device " + ordinal)
        .hasMessageContaining("0 (emulated device 0")
        .hasMessageContaining("1 (emulated device 1");
  }

  @Test
  void theProcessorIsTheOnlyOne() {
    assertThatThrownBy(() -> OpenDevice.open(Backend.CPU, 1, OpenDevice.Options.threads(1)))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("CPU has no device 1, only 0 (");
  }
}
