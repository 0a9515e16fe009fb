package org.hast4j.cli;

import java.time.Duration;
import java.util.Collections;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.hast4j.hast.Event;
import org.hast4j.hast.Listener;
import org.hast4j.hast.Score;
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
  public void event(Event event) {
    // A resumed run may report the last evaluation of a stage whose steps were all done before.
    if (current != null) {
      takeTime();
    }
    switch (event) {
      case Event.ImagesReady ready when !ready.statisticsMismatch().isEmpty() ->
          reporter.note(mismatch(ready.statisticsMismatch()));
      case Event.Looked seen when seen.rolledBackRate().isPresent() ->
          reporter.note(
              "fine-tuning diverged (held-back loss %s at step %d, %s at step %d): it goes on from there at a lower rate"
                  .formatted(seen.loss(), seen.step(), seen.best(), seen.bestStep()));
      case Event.Calibrated done -> accuracy("straight after rounding", done.score());
      case Event.FineTuned done -> accuracy("after %d steps".formatted(done.steps()), done.score());
      case Event.FineTuningLosses seen ->
          seen.score().ifPresent(s -> accuracy("after %d steps".formatted(seen.step()), s));
      case Event.ImagesReady _,
          Event.Looked _,
          Event.SynthesisLosses _,
          Event.StudentDiagnosed _ -> {}
    }
  }

  private void accuracy(String when, Score score) {
    score.accuracy().ifPresent(value -> reporter.note(when + ": " + value));
  }

  private static String mismatch(Map<String, Double> layers) {
    Map.Entry<String, Double> worst =
        Collections.max(layers.entrySet(), Map.Entry.comparingByValue());
    double sum = 0;
    for (double value : layers.values()) {
      sum += value;
    }
    return "mismatch of the images' BatchNorm statistics: mean %.3g, most at %s with %.3g"
        .formatted(sum / layers.size(), worst.getKey(), worst.getValue());
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
