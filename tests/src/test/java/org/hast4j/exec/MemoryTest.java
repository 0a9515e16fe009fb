package org.hast4j.exec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.graph.TensorType.f32;

import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.hast4j.device.DeviceMemoryException;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Who may free a storage, when, and what becomes of it. */
class MemoryTest {
  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  private static final TensorType TYPE = f32(4);
  private static final TensorType HUGE = f32(1 << 10, 1 << 14, 1 << 14, 1 << 12);

  private final Storage in = Storage.of("in", TYPE);
  private final Storage out = Storage.of("out", TYPE);

  /** out = 2 in, by way of a slab. */
  private Graph doubling() {
    Graph graph = new Graph();
    Value x = graph.value(new Elementwise.Scale(4), graph.variable(in, TYPE));
    graph.keep(graph.value(new Elementwise.Scale(.5f), x), out);
    return graph;
  }

  private void doubles(Memory memory, Program program) {
    memory.buffer(in).upload(0, new float[] {1, 2, 3, 4});
    program.run();
    assertThat(memory.floats(out)).containsExactly(2, 4, 6, 8);
  }

  static Stream<Arguments> waysToFree() {
    BiConsumer<Memory, Storage> asked = Memory::free;
    BiConsumer<Memory, Storage> behindItsBack = (memory, storage) -> memory.buffer(storage).close();
    return Stream.of(Arguments.of("Memory.free", asked), Arguments.of("close", behindItsBack));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("waysToFree")
  void whatALiveProgramHoldsCannotBeFreed(String name, BiConsumer<Memory, Storage> free) {
    try (Memory memory = new Memory(DEVICES.open());
        Program first = Program.compile("the first", doubling(), memory);
        Program second = Program.compile("the second", doubling(), memory)) {
      for (Storage storage : List.of(in, out)) {
        assertThatThrownBy(() -> free.accept(memory, storage))
            .isInstanceOf(IllegalStateException.class)
            .hasMessage(
                "storage '%s' cannot be freed while programs hold it: close 'the first', 'the second' first"
                    .formatted(storage.name()));
      }
      first.close();
      assertThatThrownBy(() -> free.accept(memory, in))
          .hasMessageContaining("'the second'")
          .hasMessageNotContaining("'the first'");
      doubles(memory, second);
      second.close();
      free.accept(memory, in);
      assertThat(DEVICES.open().ledger().bytesByPurpose()).containsOnlyKeys("out");
    }
  }

  @Test
  void whatIsFreedDoesNotComeBack() {
    try (Memory memory = new Memory(DEVICES.open())) {
      memory.buffer(in).upload(0, new float[] {1, 2, 3, 4});
      memory.free(in);
      memory.free(in);
      Storage never = Storage.of("never asked for", TYPE);
      memory.free(never);
      for (Storage storage : List.of(in, never)) {
        for (Runnable use :
            List.<Runnable>of(
                () -> memory.buffer(storage),
                () -> memory.floats(storage),
                () -> memory.copy(out, storage, 0),
                () -> memory.copy(storage, out, 0))) {
          assertThatThrownBy(use::run)
              .isInstanceOf(IllegalStateException.class)
              .hasMessageContaining("storage '%s' was freed".formatted(storage.name()));
        }
      }
      assertThat(memory.floats(Storage.of("in", TYPE))).as("another").containsOnly(0);
    }
  }

  @Test
  void aProgramThatNamesWhatWasFreedIsRefusedAndLeavesNothingBehind() {
    try (Memory memory = new Memory(DEVICES.open())) {
      memory.free(out);
      assertThatThrownBy(() -> Program.compile("late", doubling(), memory))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("storage 'out' was freed");
      assertThat(DEVICES.open().ledger().bytesByPurpose()).isEmpty();
    }
  }

  @Test
  void aBufferThatWasClosedDoesNotComeBackEither() {
    try (Memory memory = new Memory(DEVICES.open())) {
      memory.buffer(in).close();
      assertThatThrownBy(() -> memory.floats(in)).hasMessageContaining("buffer 'in' is closed");
      assertThatThrownBy(() -> Program.compile("late", doubling(), memory))
          .hasMessageContaining("buffer 'in' is closed");
    }
  }

  /** What was there before stays, and is held by nobody; what came by the way goes. */
  @Test
  void aProgramThatFailsHalfWayLeavesNeitherHoldsNorBuffers() {
    try (Memory memory = new Memory(DEVICES.open())) {
      memory.buffer(in).upload(0, new float[] {1, 2, 3, 4});
      Map<String, Long> before = DEVICES.open().ledger().bytesByPurpose();
      Graph graph = doubling();
      Value huge = graph.variable(Storage.of("huge", HUGE), HUGE);
      TensorType mean = f32(1 << 10, 1 << 12);
      graph.keep(graph.value(new Pooling.GlobalAvgPool(), huge), Storage.of("mean", mean));
      assertThatThrownBy(() -> Program.compile("too large", graph, memory))
          .isInstanceOf(DeviceMemoryException.class)
          .hasMessageContaining("huge")
          .as("the failure came after others had their buffers")
          .hasMessageContaining("out 0.0 MiB");
      assertThat(DEVICES.open().ledger().bytesByPurpose()).isEqualTo(before);
      assertThat(memory.floats(in)).containsExactly(1, 2, 3, 4);
      try (Program program = Program.compile("again", doubling(), memory)) {
        doubles(memory, program);
      }
      memory.free(in);
    }
  }

  @Test
  void closingTheMemoryAsksNobody() {
    Memory memory = new Memory(DEVICES.open());
    Program.compile("program", doubling(), memory);
    memory.close();
    assertThat(DEVICES.open().ledger().bytes()).isZero();
    memory.free(in);
  }
}
