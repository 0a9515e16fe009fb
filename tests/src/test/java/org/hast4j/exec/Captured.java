package org.hast4j.exec;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGeneratorFactory;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.graph.Storage;
import org.hast4j.kernel.Precision;
import org.hast4j.plan.RandomGraph;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** A program that is one captured graph, over several lanes, against its kernels one by one. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class Captured {
  private static final int GRAPHS = 60;
  private static final int RUNS = 3;

  private final Platform platform;

  Captured(Platform platform) {
    this.platform = platform;
  }

  @BeforeAll
  void needsThePlatform() {
    platform.assumeUsable();
  }

  @Test
  void givesTheSameBits() {
    try (OpenDevice eager = platform.open(platform.options(1, Precision.FP32, Launching.SINGLE));
        OpenDevice captured =
            platform.open(platform.options(1, Precision.FP32, Launching.CAPTURED))) {
      assertThat(captured.captures()).isTrue();
      RandomGeneratorFactory.of("L64X128MixRandom")
          .create(1)
          .longs(GRAPHS)
          .forEach(
              seed ->
                  assertThat(results(captured, seed))
                      .as("graph of seed %d", seed)
                      .isEqualTo(results(eager, seed)));
      assertThat(captured.ledger().bytes()).isZero();
    }
  }

  /** The bits that a few runs leave behind: steps make each run different. */
  private static List<List<Integer>> results(OpenDevice device, long seed) {
    RandomGraph sample = new RandomGraph(seed, true);
    try (Memory memory = new Memory(device);
        Program program = Program.compile("program", sample.graph(), memory)) {
      sample.upload(memory);
      for (int run = 0; run < RUNS; run++) {
        program.run();
      }
      assertThat(program.launches()).isPositive();
      List<List<Integer>> results = new ArrayList<>();
      for (Storage storage : sample.results()) {
        List<Integer> bits = new ArrayList<>();
        for (float value : memory.floats(storage)) {
          bits.add(Float.floatToRawIntBits(value));
        }
        results.add(bits);
      }
      return results;
    }
  }
}
