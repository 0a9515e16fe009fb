package org.hast4j.hast;

import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hast4j.exec.Memory;
import org.hast4j.graph.Storage;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Sha256;
import org.hast4j.nn.AlignmentTaps;
import org.hast4j.quant.Provenance;
import org.hast4j.quant.QuantisedNetwork;

/** One run: its stages in order, each from where a checkpoint left it. */
final class Run {
  private static final int METRICS_EVERY = 50;
  private static final String DIAGNOSIS = "diagnosis";

  /** Entry of a line of metrics and of the result: each BatchNorm's mismatch on the images. */
  static final String MISMATCH = "statistics_mismatch";

  /** Entry of a line of metrics: the step whose state a diverged student was put back to. */
  static final String ROLLED_BACK = "rolled_back_to";

  private static final Runnable NOTHING = () -> {};

  private final Job job;
  private final Listener listener;
  private final Duration checkpointEvery;
  private final boolean diagnose;
  private final RunDirectory directory;
  private final Memory memory;
  private final Optional<Hast.Test> test;
  private final RunState state;
  private final StudentEvaluation evaluation;
  private final Snapshot resumed;
  private long lastCheckpoint = System.nanoTime();
  // What is known of a moment that the device may not have reached yet.
  private Runnable pending = NOTHING;
  private Map<String, Double> mismatch = Map.of();
  private Optional<Looks.Judgement> judgement = Optional.empty();
  private long rollbacks;

  /**
   * Checks everything about the job that can be checked before any work; only then the folder is
   * the run's.
   */
  Run(
      Job job,
      Map<String, Object> identity,
      RunDirectory directory,
      Memory memory,
      Optional<Hast.Test> test,
      Listener listener,
      Duration checkpointEvery,
      boolean diagnose) {
    this.job = job;
    this.listener = listener;
    this.checkpointEvery = checkpointEvery;
    this.diagnose = diagnose;
    this.directory = directory;
    this.memory = memory;
    this.test = test;
    state = new RunState(job, memory);
    evaluation = new StudentEvaluation(job, state, test);
    resumed =
        Files.exists(directory.checkpoint())
            ? Snapshot.read(directory.checkpoint())
            : new Snapshot(Stage.SYNTHESIS, 0, 0);
    if (resumed.done() > state.units(resumed.stage())) {
      throw new CorruptFileException(
          directory.checkpoint(),
          "it stands at %d of %d in stage %s"
              .formatted(resumed.done(), state.units(resumed.stage()), resumed.stage()));
    }
    directory.claim(
        identity, Map.of("device", memory.device().description()), job.recipe().rendered());
    directory.truncateMetrics(resumed.metricsBytes());
  }

  void toImages() {
    switch (job.images()) {
      case Images.Synthesised _ -> synthesise();
      case Images.Stored stored ->
          SyntheticSet.read(stored.file(), job.teacher(), memory, state.pool());
      case Images.Real real ->
          state.pool().upload(memory, real.set(), job.teacher().normalization());
    }
    mismatch = StatisticsMismatch.of(memory, state.teacher(), state.units(), state.pool());
    Map<String, Object> line = line(Stage.SYNTHESIS);
    line.put(MISMATCH, mismatch);
    listener.metrics(line);
  }

  private boolean past(Stage stage) {
    return resumed.stage().ordinal() > stage.ordinal();
  }

  /** Units of a stage that a checkpoint says are done. */
  private long doneBefore(Stage stage) {
    return resumed.stage() == stage ? resumed.done() : 0;
  }

  private void synthesise() {
    if (past(Stage.SYNTHESIS)) {
      SyntheticSet.read(directory.synthetic(), job.teacher(), memory, state.pool());
      return;
    }
    Recipe.Synthesis recipe = job.recipe().synthesis();
    try (Synthesis synthesis = state.synthesis()) {
      List<Storage> saved = new ArrayList<>(synthesis.state());
      saved.add(state.pool().images());
      saved.add(state.pool().labels());
      long done = doneBefore(Stage.SYNTHESIS);
      if (done > 0) {
        Snapshot.restore(directory.checkpoint(), memory, saved);
      }
      long total = state.units(Stage.SYNTHESIS);
      SynthesisDiagnosis diagnosis = null;
      for (; done < total; done++) {
        int batch = Math.toIntExact(done / recipe.iterations());
        int index = Math.toIntExact(done % recipe.iterations());
        if (index == 0) {
          synthesis.begin(batch);
          diagnosis = null;
        }
        if (diagnose && diagnosis == null) {
          diagnosis = synthesis.diagnosis();
        }
        synthesis.iterate(batch, index);
        boolean last = index == recipe.iterations() - 1;
        if (last || (index + 1) % METRICS_EVERY == 0) {
          settle();
          synthesis.fetchLosses();
          pending = () -> report(batch, index + 1, synthesis.losses());
        }
        if (diagnose) {
          settle();
          Map<String, Object> line = line(batch, index + 1, synthesis.losses());
          line.put(DIAGNOSIS, diagnosis.signals(index + 1));
          metrics(line);
        }
        if (last) {
          synthesis.finish(batch, state.pool());
        }
        listener.progress(Stage.SYNTHESIS, done + 1, total);
        checkpoint(Stage.SYNTHESIS, done + 1, saved);
      }
      settle();
    }
    SyntheticSet.write(
        directory.synthetic(), memory, state.pool(), job.teacher(), job.sourceSha256());
    save(Stage.CALIBRATION, 0, List.of());
  }

  private void report(int batch, int iteration, Synthesis.Losses losses) {
    if (!Float.isFinite(losses.lowest())) {
      throw new DivergedException(
          "the synthesis loss is %s in batch %d from the start: are the network's weights, variances and normalisation right?"
              .formatted(losses.total(), batch));
    }
    metrics(line(batch, iteration, losses));
  }

  private static Map<String, Object> line(int batch, int iteration, Synthesis.Losses losses) {
    Map<String, Object> line = line(Stage.SYNTHESIS);
    line.put("batch", batch);
    line.put("iteration", iteration);
    line.put("loss", losses.total());
    line.put("hard_sample_loss", losses.hardSample());
    line.put("statistics_loss", losses.statistics());
    line.put("learning_rate", losses.learningRate());
    line.put("lowest_loss", losses.lowest());
    return line;
  }

  Hast.Result toEnd() {
    toImages();
    calibrate();
    fineTune();
    return result();
  }

  private void calibrate() {
    if (past(Stage.CALIBRATION)) {
      return;
    }
    Recipe.Calibration recipe = job.recipe().calibration();
    try (Calibration calibration = state.calibration()) {
      long done = doneBefore(Stage.CALIBRATION);
      if (done > 0) {
        Snapshot.restore(directory.checkpoint(), memory, calibration.state());
      }
      for (; done < recipe.iterations(); done++) {
        calibration.iterate();
        listener.progress(Stage.CALIBRATION, done + 1, recipe.iterations());
        checkpoint(Stage.CALIBRATION, done + 1, calibration.state());
      }
      checkRanges(memory.floats(state.quantisation().ranges()), recipe.iterations());
      state.refine();
      Map<String, Object> line = line(Stage.CALIBRATION);
      line.put("iteration", recipe.iterations());
      calibration.loss().ifPresent(loss -> line.put("generator_loss", loss));
      line.put("ranges", memory.floats(state.quantisation().ranges()));
      evaluated(line);
    }
  }

  private void checkRanges(float[] ranges, int iterations) {
    List<String> layers = List.copyOf(state.quantisation().quantizers().bits().keySet());
    for (int i = 0; i < 2 * layers.size(); i++) {
      if (!Float.isFinite(ranges[i])) {
        throw new DivergedException(
            "the range of the activation quantiser of %s is %s after %d calibration iterations: raise calibration.iterations"
                .formatted(layers.get(i / 2), ranges[i], iterations));
      }
    }
  }

  private void fineTune() {
    Recipe.FineTuning recipe = job.recipe().fineTuning();
    try (FineTuning fineTuning = state.fineTuning();
        Looks looks = state.looks(fineTuning);
        FineTuningDiagnosis diagnosis =
            diagnose
                ? new FineTuningDiagnosis(
                    memory, state.student(), state.quantisation(), state.pool())
                : null) {
      List<Storage> saved = new ArrayList<>(fineTuning.state());
      saved.addAll(looks.state());
      saved.add(state.quantisation().ranges());
      long done = doneBefore(Stage.FINE_TUNING);
      if (past(Stage.CALIBRATION)) {
        Snapshot.restore(directory.checkpoint(), memory, saved);
        looks.resume();
        done = resumed.stage() == Stage.DONE ? recipe.steps() : done;
      } else {
        looks.begin();
        save(Stage.FINE_TUNING, 0, saved);
      }
      looks.fetch();
      boolean hopeless = looks.hopeless();
      for (; done < recipe.steps() && !hopeless; done++) {
        fineTuning.iterate(done);
        long step = done + 1;
        boolean last = step == recipe.steps();
        boolean evaluate = test.isPresent() && test.get().steps().contains(step) && !last;
        if (step % METRICS_EVERY == 0 || last || evaluate) {
          settle();
          fineTuning.fetchLosses();
          pending = () -> report(step, fineTuning, recipe, evaluate);
        }
        if (evaluate) {
          settle();
        }
        if (diagnose && step % METRICS_EVERY == 0) {
          settle();
          Map<String, Object> line = line(Stage.FINE_TUNING);
          line.put("step", step);
          line.put(DIAGNOSIS, diagnosis.signals());
          metrics(line);
        }
        if (step % Looks.EVERY == 0 || last) {
          judge(step, looks, fineTuning);
          hopeless = looks.hopeless();
          looks.look();
          looks.fetch();
        }
        listener.progress(Stage.FINE_TUNING, step, recipe.steps());
        checkpoint(Stage.FINE_TUNING, step, saved);
      }
      Looks.Judgement end = looks.judge();
      judgement = Optional.of(end);
      rollbacks = looks.rollbacks();
      if (resumed.stage() != Stage.DONE) {
        settle();
        looks.restoreBest();
        Map<String, Object> line = line(Stage.FINE_TUNING);
        line.put("step", recipe.steps());
        line.put("kept_step", end.bestStep());
        line.put("held_back_loss", end.best());
        line.put("rounded_held_back_loss", end.rounding());
        evaluated(line);
        save(Stage.DONE, 0, saved);
      }
    }
  }

  /** Judges the last look, and puts the student back if it has diverged. */
  private void judge(long step, Looks looks, FineTuning fineTuning) {
    Looks.Judgement seen = looks.judge();
    Map<String, Object> line = line(Stage.FINE_TUNING);
    line.put("look", (step - 1) / Looks.EVERY * Looks.EVERY);
    line.put("held_back_loss", seen.loss());
    line.put("best_step", seen.bestStep());
    line.put("best_held_back_loss", seen.best());
    if (seen.diverged()) {
      looks.rollBack();
      line.put(ROLLED_BACK, seen.bestStep());
      line.put("learning_rate", fineTuning.learningRate(step));
    }
    // Not after the losses of this step, which the device may not have reached.
    metrics(line);
  }

  private void report(
      long step, FineTuning fineTuning, Recipe.FineTuning recipe, boolean evaluate) {
    FineTuning.Losses losses = fineTuning.losses();
    Map<String, Object> line = line(Stage.FINE_TUNING);
    line.put("step", step);
    line.put("clean_loss", losses.clean());
    line.put("clean_distillation", losses.cleanDistillation());
    if (recipe.promotion()) {
      line.put("promoted_loss", losses.promoted());
      line.put("promoted_distillation", losses.promotedDistillation());
    }
    line.put("learning_rate", fineTuning.learningRate(step - 1));
    if (evaluate) {
      evaluated(line);
    } else {
      metrics(line);
    }
  }

  private void evaluated(Map<String, Object> line) {
    evaluation.addTo(line);
    metrics(line);
  }

  private Hast.Result result() {
    QuantisedNetwork network =
        QuantisedNetwork.of(
            state.units().network().withWeights(state.student().download(memory)),
            job.scheme(),
            state.quantisation().download(memory),
            new Provenance(job.sourceSha256(), job.recipe().rendered(), job.seed()));
    network.write(directory.quantised());
    Optional<Double> fullPrecision = evaluation.fullPrecision();
    // The metrics are the record of what was evaluated when, also by the processes that came
    // before.
    List<Map<String, Object>> lines = directory.metricsLines(StudentEvaluation.AGREEMENT);
    Hast.Result result =
        new Hast.Result(
            network,
            fullPrecision,
            number(lines.getFirst(), StudentEvaluation.ACCURACY),
            number(lines.getLast(), StudentEvaluation.ACCURACY).or(evaluation::accuracy),
            number(lines.getFirst(), StudentEvaluation.AGREEMENT).orElseThrow(),
            number(lines.getLast(), StudentEvaluation.AGREEMENT).orElseThrow(),
            judgement.map(Looks.Judgement::bestStep).orElseThrow(),
            rollbacks,
            mismatch,
            warning());
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("layer_bits", job.scheme().named());
    json.put("alignment_taps", AlignmentTaps.of(job.teacher().model()));
    result.fullPrecision().ifPresent(value -> json.put("full_precision_accuracy", value));
    result.rounded().ifPresent(value -> json.put("rounded_accuracy", value));
    result.fineTuned().ifPresent(value -> json.put("fine_tuned_accuracy", value));
    json.put("rounded_agreement", result.roundedAgreement());
    json.put("fine_tuned_agreement", result.agreement());
    json.put("kept_step", result.keptStep());
    json.put("rollbacks", result.rollbacks());
    json.put(MISMATCH, result.statisticsMismatch());
    result.warning().ifPresent(text -> json.put("warning", text));
    json.put("quantised_sha256", Sha256.of(directory.quantised()));
    directory.writeJson("result.json", json);
    return result;
  }

  /** What is wrong with the result, for people. */
  private Optional<String> warning() {
    Optional<String> noGain = withoutGain();
    Optional<String> noTaps = job.withoutTaps();
    return noGain.isPresent() && noTaps.isPresent()
        ? Optional.of(noGain.get() + "; " + noTaps.get())
        : noGain.or(() -> noTaps);
  }

  private Optional<String> withoutGain() {
    int steps = job.recipe().fineTuning().steps();
    return steps > 0 && judgement.orElseThrow().bestStep() == 0
        ? Optional.of(
            ("%d steps of fine-tuning did not make the network better than rounding did (by the"
                    + " distillation loss on images held back): what is saved is the rounded"
                    + " network. More or other images, or a lower fine-tuning.learning-rate, may"
                    + " help")
                .formatted(steps))
        : Optional.empty();
  }

  private static Optional<Double> number(Map<String, Object> line, String key) {
    return line.get(key) instanceof Number number
        ? Optional.of(number.doubleValue())
        : Optional.empty();
  }

  private static Map<String, Object> line(Stage stage) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("stage", stage.name());
    return line;
  }

  private void metrics(Map<String, Object> line) {
    directory.append(line);
    listener.metrics(line);
  }

  /**
   * Reports what is pending. Called when the next report or a checkpoint is due: by then the device
   * has long come past it, and it is never more than one report ahead.
   */
  private void settle() {
    Runnable due = pending;
    pending = NOTHING;
    due.run();
  }

  private void checkpoint(Stage stage, long done, List<Storage> saved) {
    boolean stopping = listener.stopping();
    if (stopping || System.nanoTime() - lastCheckpoint >= checkpointEvery.toNanos()) {
      save(stage, done, saved);
    }
    if (stopping) {
      throw new StoppedException();
    }
  }

  private void save(Stage stage, long done, List<Storage> saved) {
    settle();
    new Snapshot(stage, done, directory.forcedMetricsBytes())
        .write(directory.checkpoint(), memory, saved);
    lastCheckpoint = System.nanoTime();
  }
}
