package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Predicate;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.forward.Parameters;
import org.hast4j.io.Safetensors;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;
import org.hast4j.zoo.CifarResNet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** What whole runs promise: equal networks, equal results; never worse than rounding. */
class RunTest {
  private static final Model MODEL = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
  private static final Map<String, String> SMALL =
      Map.of(
          "synthesis.images", "8",
          "synthesis.batch", "4",
          "synthesis.iterations", "12",
          "calibration.iterations", "3",
          "calibration.batch", "4",
          "calibration.latent", "4",
          "fine-tuning.steps", "420",
          "fine-tuning.batch", "2");

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  @TempDir private Path scratch;

  /** Remembers the metrics, and stops a run where it is told to. */
  private static final class Watch implements Listener {
    private final List<Map<String, Object>> lines = new ArrayList<>();
    private final Predicate<Long> stop;
    private boolean stopping;

    Watch(Predicate<Long> stop) {
      this.stop = stop;
    }

    @Override
    public void progress(Stage stage, long done, long total) {
      stopping = stage == Stage.FINE_TUNING && stop.test(done);
    }

    @Override
    public void event(Event event) {
      lines.add(MetricsLine.of(event));
    }

    @Override
    public boolean stopping() {
      return stopping;
    }
  }

  /** What follows calibration is on: it must not break a law, nor the bytes of a resumed run. */
  private static Recipe recipe(String... changes) {
    Map<String, String> values = new HashMap<>(SMALL);
    values.put("calibration.ranges", "ERROR");
    values.put("calibration.correct-statistics", "true");
    values.put("calibration.clip-weights", "true");
    for (int i = 0; i < changes.length; i += 2) {
      values.put(changes[i], changes[i + 1]);
    }
    return Recipe.read("balanced", values);
  }

  private static Job job(Network network, Recipe recipe) {
    return new Job(
        network, "none", new Scheme(new Bits(4, 4)), recipe, new Images.Synthesized(), 1);
  }

  private Hast.Result run(Job job, String folder, boolean resume, Watch watch) {
    return new Run(DEVICES.open(), watch, Duration.ofDays(1))
        .quantize(job, scratch.resolve(folder), resume, Optional.empty());
  }

  private Hast.Result run(Job job, String folder) {
    return run(job, folder, false, new Watch(_ -> false));
  }

  private void sameTensors(String folder, String other, String file) {
    Safetensors one = Safetensors.read(scratch.resolve(folder).resolve(file));
    Safetensors two = Safetensors.read(scratch.resolve(other).resolve(file));
    assertThat(two.names()).isEqualTo(one.names());
    for (String name : one.names()) {
      assertThat(two.tensor(name).bytes()).as(name).isEqualTo(one.tensor(name).bytes());
    }
  }

  /** Law: factors that are powers of two end in the same bytes. */
  @Test
  void networksThatComputeTheSameEndInTheSameBytes() {
    Network network = Networks.of(MODEL, 3);
    Random random = new Random(4);
    run(job(network, recipe()), "one");
    run(
        job(Networks.rescaled(network, _ -> Math.scalb(1, random.nextInt(-2, 9))), recipe()),
        "two");
    sameTensors("one", "two", "synthetic.safetensors");
    sameTensors("one", "two", "quantised.safetensors");
  }

  /** Of 420 steps the state of 200, 400 or the end, and it is not the rounded one. */
  @Test
  void theBestStateIsWhatIsSaved() {
    Watch watch = new Watch(_ -> false);
    Hast.Result result = run(job(Networks.of(MODEL, 3), recipe()), "run", false, watch);
    List<Map<String, Object>> looks =
        watch.lines.stream().filter(line -> line.containsKey("look")).toList();
    assertThat(looks).extracting(line -> line.get("look")).containsExactly(0L, 200L, 400L);
    Map<String, Object> end = watch.lines.getLast();
    assertThat(end.get("kept_step")).isEqualTo(result.keptStep());
    assertThat(result.keptStep()).isIn(200L, 400L, 420L);
    double kept = (float) end.get("held_back_loss");
    assertThat(looks)
        .allSatisfy(
            look ->
                assertThat((float) look.get("held_back_loss"))
                    .isGreaterThanOrEqualTo((float) kept));
    assertThat(result.warning()).isEmpty();
  }

  /** A rate at which everything is lost in the first steps. */
  @Test
  void aRunThatDivergesEndsAsItWasRoundedAndSaysSo() {
    Network network = Networks.of(MODEL, 3);
    Watch watch = new Watch(_ -> false);
    Hast.Result result =
        run(job(network, recipe("fine-tuning.learning-rate", "1e6")), "wild", false, watch);
    run(job(network, recipe("fine-tuning.steps", "0")), "rounded");
    sameTensors("rounded", "wild", "quantised.safetensors");
    assertThat(result.keptStep()).isZero();
    assertThat(result.rollbacks()).isPositive();
    assertThat(result.warning()).get().asString().contains("420 steps", "rounded network");
    assertThat(watch.lines).anyMatch(line -> line.containsKey("rolled_back_to"));
  }

  @Test
  void aRunThatDivergedGoesOnWithTheSameBytes() {
    Network network = Networks.of(MODEL, 3);
    Recipe wild = recipe("fine-tuning.learning-rate", "1e6", "fine-tuning.steps", "1000");
    run(job(network, wild), "undisturbed");
    for (long at : new long[] {1, 399, 400, 401, 777}) {
      assertThatThrownBy(
              () -> run(job(network, wild), "stopped", at > 1, new Watch(done -> done == at)))
          .isInstanceOf(StoppedException.class);
    }
    run(job(network, wild), "stopped", true, new Watch(_ -> false));
    sameTensors("undisturbed", "stopped", "quantised.safetensors");
    assertThat(scratch.resolve("stopped/metrics.jsonl"))
        .hasSameTextualContentAs(scratch.resolve("undisturbed/metrics.jsonl"));
  }

  /** The images that are kept have the lowest loss that any iteration told. */
  @Test
  void synthesisKeepsItsBestImages() {
    Network network = Networks.of(MODEL, 3);
    // A rate at which the loss soon rises again.
    Recipe.Synthesis recipe =
        recipe("synthesis.learning-rate", "30", "synthesis.schedule", "PLATEAU").synthesis();
    try (Memory memory = new Memory(DEVICES.open())) {
      Units units = Units.normal(network);
      Parameters teacher = new Parameters(MODEL, "teacher");
      teacher.upload(memory, units.network());
      DataSet dataSet = DataSet.of(MODEL, 4);
      try (Synthesis synthesis = new Synthesis(memory, teacher, units, recipe, 1)) {
        synthesis.begin(0);
        float lowest = Float.POSITIVE_INFINITY;
        float last = 0;
        float[] best = {};
        for (int i = 0; i < 12; i++) {
          float[] before = memory.floats(synthesis.state().getFirst());
          synthesis.iterate(0, i);
          last = synthesis.losses().total();
          if (last < lowest) {
            lowest = last;
            best = before;
          }
        }
        assertThat(synthesis.losses().lowest()).isEqualTo(lowest).isLessThan(last);
        synthesis.finish(0, dataSet);
        assertThat(memory.floats(dataSet.images())).isEqualTo(best);
      }
    }
  }

  @Test
  void diagnosisChangesNothing() {
    Network network = Networks.of(MODEL, 3);
    run(job(network, recipe()), "plain");
    Watch watch = new Watch(_ -> false);
    new Run(DEVICES.open(), watch, Duration.ofDays(1), true)
        .quantize(job(network, recipe()), scratch.resolve("watched"), false, Optional.empty());
    sameTensors("plain", "watched", "quantised.safetensors");
    assertThat(watch.lines)
        .filteredOn(line -> line.containsKey("diagnosis"))
        // Two batches of 12 iterations, and every 50th of 420 steps.
        .hasSize(2 * 12 + 8);
  }

  @Test
  void anExpectationTriesEveryStageAndLeavesNothing() {
    Job job = job(Networks.of(MODEL, 3), recipe());
    Expectation expected = Hast.expect(job, DEVICES.open());
    assertThat(expected.times().keySet())
        .containsExactlyInAnyOrder(Stage.SYNTHESIS, Stage.CALIBRATION, Stage.FINE_TUNING);
    assertThat(expected.total()).isPositive();
    // The images alone.
    assertThat(expected.deviceBytes()).isGreaterThan(8L * 3 * 32 * 32 * Float.BYTES);
    assertThat(DEVICES.open().ledger().bytes()).isZero();
  }

  /** A share of the images at least as far off as their statistics. */
  @Test
  void theMismatchOfEveryBatchNormIsReported() {
    Hast.Result result = run(job(Networks.of(MODEL, 3), recipe()), "run");
    assertThat(result.statisticsMismatch())
        .hasSize(MODEL.names(Operator.BatchNorm.class).size())
        .allSatisfy((_, value) -> assertThat(value).isPositive().isFinite());
  }

  /** No batch of one seed has the coins of another's, shifted or not. */
  @Test
  void seedsHaveCoinsOfTheirOwn() {
    int length = 200;
    boolean[][] coins = {
      Synthesis.coins(1, 0, length), Synthesis.coins(2, 0, length), Synthesis.coins(1, 1, length)
    };
    for (int one = 0; one < coins.length; one++) {
      for (int two = 0; two < one; two++) {
        for (int shift = -3; shift <= 3; shift++) {
          int alike = 0;
          for (int i = 3; i < length - 3; i++) {
            alike += coins[one][i] == coins[two][i + shift] ? 1 : 0;
          }
          assertThat((double) alike / (length - 6)).isCloseTo(.5, within(.2));
        }
      }
    }
  }
}
