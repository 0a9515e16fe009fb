package org.hast4j.hast;

import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.exec.Memory;

/**
 * What a run will take, found by trying: every stage is set up as the run does it, and works for a
 * moment.
 *
 * @param times of the stages that the run has, without evaluations
 * @param deviceBytes the most device memory held at once
 */
public record Expectation(Map<Stage, Duration> times, long deviceBytes) {
  // The first iteration also touches memory for the first time; more of them are tried where they
  // take little.
  private static final long SHORT_NANOS = 1_000_000_000;
  private static final int TRIALS = 3;

  public Expectation {
    times = Map.copyOf(times);
  }

  static Expectation of(OpenDevice device, Job job) {
    Map<Stage, Duration> times = new EnumMap<>(Stage.class);
    try (Memory memory = new Memory(device)) {
      RunState state = new RunState(job, memory);
      if (job.images() instanceof Images.Synthesized) {
        try (Synthesis synthesis = state.synthesis()) {
          synthesis.begin(0);
          long iterations = state.units(Stage.SYNTHESIS);
          times.put(Stage.SYNTHESIS, expected(device, iterations, () -> synthesis.iterate(0, 0)));
        }
      }
      try (Calibration calibration = state.calibration()) {
        times.put(
            Stage.CALIBRATION,
            expected(device, state.units(Stage.CALIBRATION), calibration::iterate));
      }
      try (FineTuning fineTuning = state.fineTuning();
          Looks _ = state.looks(fineTuning)) {
        times.put(
            Stage.FINE_TUNING,
            expected(device, state.units(Stage.FINE_TUNING), () -> fineTuning.iterate(0)));
      }
    }
    return new Expectation(times, device.ledger().peakBytes());
  }

  private static Duration expected(OpenDevice device, long iterations, Runnable iteration) {
    long least = Long.MAX_VALUE;
    long spent = 0;
    for (int trial = 0; trial < TRIALS && spent < SHORT_NANOS; trial++) {
      long start = System.nanoTime();
      iteration.run();
      device.synchronize();
      long nanos = System.nanoTime() - start;
      least = Math.min(least, nanos);
      spent += nanos;
    }
    return Duration.ofNanos(least).multipliedBy(iterations);
  }

  /** All stages together. */
  public Duration total() {
    return times.values().stream().reduce(Duration.ZERO, Duration::plus);
  }
}
