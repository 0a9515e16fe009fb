package org.hast4j.exec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.graph.TensorType.f32;

import java.util.function.Consumer;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.failure.Mendable;
import org.hast4j.failure.Remedy;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.Precision;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What is said of a kernel that fails on the device, which it does after its launch. */
class FailedLaunchTest {
  private static final TensorType TYPE = f32(4096);

  @BeforeAll
  static void needsTheDetectorOfRaces() {
    Platform.WATCHED.assumeUsable();
  }

  /**
   * A step between two other operations whose threads race: the parameters overlap with what goes
   * with them, a few elements on.
   */
  private static Graph racing() {
    int shift = 16 * Float.BYTES;
    Storage state = new Storage("state", TYPE.bytes() + shift);
    Graph graph = new Graph();
    Value gradient = graph.variable(Storage.of("gradient", TYPE), TYPE);
    graph.keep(graph.value(new Elementwise.Tanh(), gradient), Storage.of("before", TYPE));
    graph.apply(
        new Optimizer.SgdStep(.9f, 0, false),
        graph.variable(state, 0, TYPE),
        graph.variable(state, shift, TYPE),
        gradient,
        graph.variable(Storage.of("rate", f32(1)), f32(1)));
    graph.keep(graph.value(new Elementwise.Scale(2), gradient), Storage.of("after", TYPE));
    return graph;
  }

  private static void with(Launching launching, Consumer<Program> use) {
    Platform platform = Platform.WATCHED;
    try (OpenDevice device = platform.open(platform.options(1, Precision.FP32, launching))) {
      try (Memory memory = new Memory(device);
          Program program = Program.compile("doomed", racing(), memory)) {
        use.accept(program);
      }
      assertThat(device.ledger().bytes()).isZero();
    }
  }

  private static void failsAt(String place, ThrowingCallable call) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(KernelException.class, e -> assertThat(e.isFatal()).isTrue())
        .hasMessageContaining("(status 719) at " + place + "; ")
        .hasMessageContaining("with each launch waited for the error names the operation")
        .satisfies(e -> assertThat(Mendable.remedyOf(e)).contains(Remedy.AWAIT_LAUNCHES));
  }

  @Test
  void aCapturedProgramIsNamed() {
    with(
        Launching.CAPTURED,
        program -> {
          program.run();
          failsAt("program doomed", program::run);
        });
  }

  @Test
  void theNextLaunchHasTheError() {
    with(Launching.SINGLE, program -> failsAt("Scale", program::run));
  }

  @Test
  void theOperationIsNamedWhereLaunchesAreAwaited() {
    with(Launching.AWAITED, program -> failsAt("SgdStep", program::run));
  }

  @Test
  void aProfileNamesTheOperation() {
    with(Launching.CAPTURED, program -> failsAt("SgdStep", program::profile));
  }
}
