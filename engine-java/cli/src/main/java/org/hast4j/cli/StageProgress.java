package org.hast4j.cli;

import java.time.Duration;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.hast4j.hast.Listener;
import org.hast4j.hast.Stage;

/** Shows the stages of a run, and takes their time. */
final class StageProgress implements Listener, AutoCloseable {
  private final Reporter reporter;
  private final long[] nanos = new long[Stage.values().length];
  private Stage current;
  private Meter meter;
  private BooleanSupplier stop = () -> false;
  private long heard = System.nanoTime();

  StageProgress(Reporter reporter) {
    this.reporter = reporter;
  }

  @Override
  public void progress(Stage stage, long done, long total) {
    if (stage != current) {
      close();
      current = stage;
      meter = reporter.meter(name(stage), unit(stage), done - 1, total);
    }
    takeTime();
    meter.at(done);
  }

  @Override
  public void metrics(Map<String, Object> line) {
    // A resumed run may report the last evaluation of a stage whose steps were all done before.
    if (current != null) {
      takeTime();
    }
    if (line.get("statistics_mismatch") instanceof Map<?, ?> layers) {
      reporter.note(mismatch(layers));
    }
    if (line.get("rolled_back_to") != null) {
      reporter.note(
          "fine-tuning diverged (held-back loss %s at step %s, %s at step %s): it goes on from there at a lower rate"
              .formatted(
                  line.get("held_back_loss"),
                  line.get("look"),
                  line.get("best_held_back_loss"),
                  line.get("rolled_back_to")));
    }
    if (line.get("accuracy") instanceof Double accuracy) {
      reporter.note(
          line.get("step") == null
              ? "straight after rounding: %.2f %%".formatted(accuracy)
              : "after %s steps: %.2f %%".formatted(line.get("step"), accuracy));
    }
  }

  private static String mismatch(Map<?, ?> layers) {
    String worst = "";
    double most = -1;
    double sum = 0;
    for (Map.Entry<?, ?> layer : layers.entrySet()) {
      double value = (double) layer.getValue();
      sum += value;
      if (value > most) {
        most = value;
        worst = layer.getKey().toString();
      }
    }
    return "mismatch of the images' BatchNorm statistics: mean %.3g, most at %s with %.3g"
        .formatted(sum / layers.size(), worst, most);
  }

  /** Has the run stop, with a checkpoint, when it is said to. */
  void stopWhen(BooleanSupplier asked) {
    stop = asked;
  }

  @Override
  public boolean stopping() {
    return stop.getAsBoolean();
  }

  private void takeTime() {
    long now = System.nanoTime();
    nanos[current.ordinal()] += now - heard;
    heard = now;
  }

  static String name(Stage stage) {
    return stage.name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  private static Meter.Unit unit(Stage stage) {
    return stage == Stage.FINE_TUNING ? Meter.Unit.STEPS : Meter.Unit.ITERATIONS;
  }

  /** What this process spent on each stage, evaluations along the way included. */
  Map<Stage, Duration> times() {
    Map<Stage, Duration> times = new EnumMap<>(Stage.class);
    for (Stage stage : Stage.values()) {
      if (nanos[stage.ordinal()] > 0) {
        times.put(stage, Duration.ofNanos(nanos[stage.ordinal()]));
      }
    }
    return times;
  }

  @Override
  public void close() {
    if (meter != null) {
      meter.close();
      meter = null;
    }
  }
}
