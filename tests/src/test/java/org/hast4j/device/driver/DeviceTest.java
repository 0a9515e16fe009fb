package org.hast4j.device.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.graph.TensorType.f32;
import static org.hast4j.graph.TensorType.i64;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.hast4j.device.DeviceMemoryException;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Random;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.kernel.Availability;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.KernelLibrary;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Devices, their buffers and the account of their memory. */
class DeviceTest {
  private static final long ABSURD = 1L << 50;

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  @Test
  void theProcessorIsAvailableAndDescribed() {
    assertThat(KernelLibrary.probe(Backend.CPU))
        .isInstanceOfSatisfying(
            Availability.Available.class,
            available ->
                assertThat(available.devices()).singleElement().asString().contains("cores"));
    assertThat(DEVICES.open().description()).contains("cores").contains("GiB");
  }

  @Test
  void aBackendThatCannotBeUsedSaysWhy() {
    assumeTrue(
        KernelLibrary.probe(Backend.CUDA) instanceof Availability.Unavailable,
        "there is a GPU here");
    Availability.Unavailable unavailable =
        (Availability.Unavailable) KernelLibrary.probe(Backend.CUDA);
    assertThatThrownBy(() -> OpenDevice.open(Backend.CUDA, 1))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(unavailable.reasons().getFirst());
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 1025})
  void aNumberOfThreadsThatThereCannotBeIsRefused(int threads) {
    assertThatThrownBy(() -> OpenDevice.open(Backend.CPU, threads))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("threads must be 1 to 1024, got " + threads);
  }

  @Test
  void theLedgerCountsByPurpose() {
    OpenDevice device = DEVICES.open();
    try (Buffer a = device.allocate("images", 1000);
        Buffer b = device.allocate("images", 10);
        Buffer c = device.allocate("weights", 256)) {
      assertThat(device.ledger().bytesByPurpose()).containsOnlyKeys("images", "weights");
      assertThat(a.bytes()).isEqualTo(1000);
      // In whole 256 bytes.
      assertThat(device.ledger().bytesByPurpose().get("images")).isEqualTo(1024 + 256);
      assertThat(device.ledger().bytes()).isEqualTo(1024 + 256 + c.bytes());
    }
    assertThat(device.ledger().bytes()).isZero();
    assertThat(device.ledger().bytesByPurpose()).isEmpty();
    assertThat(device.ledger().peakBytes()).isPositive();
  }

  @Test
  void tooMuchMemoryIsRefusedWithTheAccount() {
    OpenDevice device = DEVICES.open();
    try (Buffer held = device.allocate("synthetic images", 4 << 20)) {
      assertThat(held.bytes()).isPositive();
      assertThatThrownBy(() -> device.allocate("a dream", ABSURD))
          .isInstanceOf(DeviceMemoryException.class)
          .hasMessageContaining("a dream")
          .hasMessageContaining("synthetic images 4.0 MiB")
          .hasCauseInstanceOf(KernelException.class);
      assertThat(device.ledger().bytes()).isEqualTo(held.bytes());
    }
  }

  @Test
  void aDeviceWithMemoryInUseIsClosedWithAComplaint() {
    OpenDevice device = OpenDevice.open(Backend.CPU, 1);
    Buffer buffer = device.allocate("forgotten", 100);
    assertThatThrownBy(device::close)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("forgotten");
    assertThatThrownBy(() -> buffer.upload(0, new float[1])).hasMessageContaining("closed");
    assertThatThrownBy(() -> device.allocate("more", 1)).hasMessageContaining("closed");
    buffer.close();
    device.close();
    assertThat(device.ledger().bytes()).isZero();
  }

  @Test
  void arraysGoInAndComeBack() {
    try (Buffer buffer = DEVICES.open().allocate("data", 64)) {
      buffer.upload(0, new float[] {1, Float.NaN, -0f, Float.MIN_VALUE});
      buffer.upload(16, new int[] {-1, 7});
      buffer.upload(24, new long[] {Long.MIN_VALUE});
      float[] floats = new float[4];
      buffer.download(0, floats);
      int[] ints = new int[2];
      buffer.download(16, ints);
      long[] longs = new long[1];
      buffer.download(24, longs);
      assertThat(floats).containsExactly(1, Float.NaN, -0f, Float.MIN_VALUE);
      assertThat(ints).containsExactly(-1, 7);
      assertThat(longs).containsExactly(Long.MIN_VALUE);
      buffer.clear();
      buffer.download(0, floats);
      assertThat(floats).containsOnly(0);
    }
  }

  @Test
  void bytesOutsideABufferAreRefused() {
    try (Buffer small = DEVICES.open().allocate("small", 8)) {
      assertThatThrownBy(() -> small.upload(4, new float[2]))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessageContaining("small");
    }
    try (Buffer buffer = DEVICES.open().allocate("data", 256)) {
      assertThatThrownBy(() -> buffer.upload(252, new float[2]))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessageContaining("data");
      assertThatThrownBy(() -> buffer.download(-4, new float[1]))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> buffer.address(Long.MAX_VALUE, 8))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> buffer.address(0, 257))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void aClosedBufferIsRefused() {
    Buffer buffer = DEVICES.open().allocate("gone", 256);
    buffer.close();
    buffer.close();
    assertThatThrownBy(() -> buffer.upload(0, new float[1]))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("gone");
    assertThat(DEVICES.open().ledger().bytes()).isZero();
  }

  @Test
  void anotherThreadIsRefused() {
    OpenDevice device = DEVICES.open();
    try (Memory memory = new Memory(device);
        Program program = Program.compile("program", graph(), memory)) {
      assertThatCode(program::run).doesNotThrowAnyException();
      assertThatThrownBy(() -> CompletableFuture.runAsync(program::run).join())
          .isInstanceOf(CompletionException.class)
          .hasCauseInstanceOf(IllegalStateException.class)
          .hasMessageContaining("belongs to");
      assertThatThrownBy(() -> CompletableFuture.runAsync(() -> device.allocate("mine", 1)).join())
          .hasCauseInstanceOf(IllegalStateException.class);
      Storage storage = Storage.of("buffer", f32(4));
      Buffer buffer = memory.buffer(storage);
      for (Runnable use :
          List.<Runnable>of(
              () -> buffer.upload(0, new float[4]),
              () -> buffer.download(0, new float[4]),
              buffer::clear,
              buffer::close,
              () -> memory.free(storage),
              program::close,
              memory::close,
              device::synchronize,
              device::close)) {
        assertThatThrownBy(() -> CompletableFuture.runAsync(use).join())
            .hasCauseInstanceOf(IllegalStateException.class)
            .hasMessageContaining("belongs to");
      }
      // Nothing of it was closed half.
      buffer.upload(0, new float[4]);
      assertThatCode(program::run).doesNotThrowAnyException();
    }
  }

  /** A program that needs a slab. */
  private static Graph graph() {
    Graph graph = new Graph();
    Value in = graph.variable(Storage.of("in", f32(4)), f32(4));
    Value inner = graph.value(new Elementwise.Tanh(), in);
    Value other = graph.value(new Elementwise.Tanh(), inner);
    graph.keep(graph.value(new Elementwise.Add(), inner, other), Storage.of("out", f32(4)));
    return graph;
  }

  @Test
  void aClosedProgramIsRefused() {
    try (Memory memory = new Memory(DEVICES.open())) {
      Program program = Program.compile("program", graph(), memory);
      program.close();
      program.close();
      assertThatThrownBy(program::run)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("program is closed");
      assertThatThrownBy(program::profile).isInstanceOf(IllegalStateException.class);
    }
  }

  @Test
  void closingTheMemoryFreesItsPrograms() {
    OpenDevice device = DEVICES.open();
    Memory memory = new Memory(device);
    Program program = Program.compile("program", graph(), memory);
    assertThat(device.ledger().bytesByPurpose()).containsKey("program");
    memory.close();
    assertThat(device.ledger().bytes()).isZero();
    assertThatThrownBy(program::run)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("memory is closed");
    program.close();
    assertThatThrownBy(() -> memory.buffer(Storage.of("late", f32(1))))
        .isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aProgramThatDoesNotFitLeavesNothingBehind() {
    OpenDevice device = DEVICES.open();
    Graph graph = new Graph();
    Storage out = Storage.of("out", f32(1 << 10, 1 << 12));
    Value key = graph.variable(Storage.of("key", i64(2)), i64(2));
    Value huge =
        graph.value(new Random.PhiloxNormal(0, f32(1 << 10, 1 << 14, 1 << 14, 1 << 12)), key);
    graph.keep(graph.value(new Pooling.GlobalAvgPool(), huge), out);
    try (Memory memory = new Memory(device)) {
      assertThatThrownBy(() -> Program.compile("too large", graph, memory))
          .isInstanceOf(DeviceMemoryException.class)
          .hasMessageContaining("too large");
    }
    assertThat(device.ledger().bytes()).isZero();
  }

  @Test
  void aProgramWhoseStorageDoesNotFitLeavesNoSlab() {
    OpenDevice device = DEVICES.open();
    Graph graph = graph();
    TensorType huge = f32(1 << 10, 1 << 14, 1 << 14, 1 << 12);
    Value all = graph.variable(Storage.of("huge", huge), huge);
    graph.keep(
        graph.value(new Pooling.GlobalAvgPool(), all), Storage.of("mean", f32(1 << 10, 1 << 12)));
    try (Memory memory = new Memory(device)) {
      assertThatThrownBy(() -> Program.compile("slab", graph, memory))
          .isInstanceOf(DeviceMemoryException.class)
          .hasMessageContaining("huge")
          .hasMessageContaining("slab");
      assertThat(device.ledger().bytesByPurpose()).doesNotContainKey("slab");
    }
  }

  @Test
  void storagesShareTheirBufferAndStartAtZero() {
    Storage storage = Storage.of("state", f32(5));
    try (Memory memory = new Memory(DEVICES.open())) {
      assertThat(memory.floats(storage)).containsOnly(0);
      memory.buffer(storage).upload(0, new float[] {1, 2, 3, 4, 5});
      assertThat(memory.buffer(storage)).isSameAs(memory.buffer(storage));
      assertThat(memory.floats(storage, 2)).containsExactly(1, 2);
    }
  }
}
