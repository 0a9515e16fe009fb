package org.hast4j.hast;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hast4j.exec.Memory;
import org.hast4j.graph.Storage;
import org.hast4j.quant.Provenance;
import org.hast4j.quant.QuantizedNetwork;

/** The stages of a quantisation in order, each from where a journal left it. */
final class Stages {
  private static final int METRICS_EVERY = 50;
  private static final Runnable NOTHING = () -> {};

  private final Job job;
  private final Memory memory;
  private final Optional<Hast.Test> test;
  private final Listener listener;
  private final boolean diagnose;
  private final RunState state;
  private final StudentEvaluation evaluation;
  private Journal journal = Journal.NONE;
  private Snapshot resumed = Snapshot.START;
  // What is known of a moment that the device may not have reached yet.
  private Runnable pending = NOTHING;
  private Map<String, Double> mismatch = Map.of();
  private Optional<Score> rounded = Optional.empty();
  private Optional<Score> fineTuned = Optional.empty();
  private Optional<Looks.Judgement> judgement = Optional.empty();
  private long rollbacks;

  /** Checks everything about the job that can be checked before any work. */
  Stages(Job job, Memory memory, Optional<Hast.Test> test, Listener listener, boolean diagnose) {
    this.job = job;
    this.memory = memory;
    this.test = test;
    this.listener = listener;
    this.diagnose = diagnose;
    state = new RunState(job, memory);
    evaluation = new StudentEvaluation(job, state, test);
  }

  /** Units of a stage. */
  long units(Stage stage) {
    return state.units(stage);
  }

  /** Goes on from where a journal says, and notes in it what is done. */
  void note(Journal kept) {
    journal = kept;
    resumed = kept.resumed();
    rounded = resumed.rounded();
    fineTuned = resumed.fineTuned();
  }

  void toImages() {
    switch (job.images()) {
      case Images.Synthesized made -> synthesize(made.firstBatch());
      case Images.Stored stored ->
          SyntheticSet.read(stored.files(), job.teacher(), memory, state.dataSet());
      case Images.Real real -> {
        state.dataSet().upload(memory, real.set(), job.teacher().normalization());
        if (!real.labeled()) {
          state.dataSet().label(memory, state.teacher());
        }
      }
    }
    mismatch = StatisticsMismatch.of(memory, state.teacher(), state.units(), state.dataSet());
    listener.event(new Event.ImagesReady(mismatch));
  }

  private boolean past(Stage stage) {
    return resumed.stage().ordinal() > stage.ordinal();
  }

  /** Units of a stage that a checkpoint says are done. */
  private long doneBefore(Stage stage) {
    return resumed.stage() == stage ? resumed.done() : 0;
  }

  /**
   * @param first number of the first batch
   */
  private void synthesize(int first) {
    if (past(Stage.SYNTHESIS)) {
      journal.restoreImages(memory, state.dataSet());
      return;
    }
    Recipe.Synthesis recipe = job.recipe().synthesis();
    try (Synthesis synthesis = state.synthesis()) {
      List<Storage> saved = new ArrayList<>(synthesis.state());
      saved.add(state.dataSet().images());
      saved.add(state.dataSet().labels());
      long done = doneBefore(Stage.SYNTHESIS);
      if (done > 0) {
        journal.restore(memory, saved);
      }
      long total = state.units(Stage.SYNTHESIS);
      SynthesisDiagnosis diagnosis = null;
      for (; done < total; done++) {
        int place = Math.toIntExact(done / recipe.iterations());
        int batch = first + place;
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
          event(seen(batch, index + 1, synthesis.losses(), diagnosis.signals(index + 1)));
        }
        if (last) {
          synthesis.finish(place, state.dataSet());
        }
        listener.progress(Stage.SYNTHESIS, done + 1, total);
        checkpoint(Stage.SYNTHESIS, done + 1, saved);
      }
      settle();
    }
    journal.images(memory, state.dataSet());
    save(Stage.CALIBRATION, 0, List.of());
  }

  private void report(int batch, int iteration, Synthesis.Losses losses) {
    if (!Float.isFinite(losses.lowest())) {
      throw new DivergedException(
          "the synthesis loss is %s in batch %d from the start: are the network's weights, variances and normalisation right?"
              .formatted(losses.total(), batch));
    }
    event(seen(batch, iteration, losses, Map.of()));
  }

  private static Event seen(
      int batch, int iteration, Synthesis.Losses losses, Map<String, Object> diagnosis) {
    return new Event.SynthesisLosses(
        batch,
        iteration,
        losses.total(),
        losses.hardSample(),
        losses.learningRate(),
        losses.lowest(),
        diagnosis);
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
        journal.restore(memory, calibration.state());
      }
      for (; done < recipe.iterations(); done++) {
        calibration.iterate();
        listener.progress(Stage.CALIBRATION, done + 1, recipe.iterations());
        checkpoint(Stage.CALIBRATION, done + 1, calibration.state());
      }
      checkRanges(memory.floats(state.quantization().ranges()), recipe.iterations());
      state.refine();
      Score score = evaluation.score();
      rounded = Optional.of(score);
      event(
          new Event.Calibrated(
              recipe.iterations(),
              calibration.loss(),
              memory.floats(state.quantization().ranges()),
              score));
    }
  }

  private void checkRanges(float[] ranges, int iterations) {
    List<String> layers = List.copyOf(state.quantization().quantizers().bits().keySet());
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
                    memory, state.student(), state.quantization(), state.dataSet())
                : null) {
      List<Storage> saved = new ArrayList<>(fineTuning.state());
      saved.addAll(looks.state());
      saved.add(state.quantization().ranges());
      long done = doneBefore(Stage.FINE_TUNING);
      if (past(Stage.CALIBRATION)) {
        journal.restore(memory, saved);
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
          event(new Event.StudentDiagnosed(step, diagnosis.signals()));
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
        Score score = evaluation.score();
        fineTuned = Optional.of(score);
        event(
            new Event.FineTuned(recipe.steps(), end.bestStep(), end.best(), end.rounding(), score));
        save(Stage.DONE, 0, saved);
      }
    }
  }

  /** Judges the last look, and puts the student back if it has diverged. */
  private void judge(long step, Looks looks, FineTuning fineTuning) {
    Looks.Judgement seen = looks.judge();
    Optional<Float> rate = Optional.empty();
    if (seen.diverged()) {
      looks.rollBack();
      rate = Optional.of(fineTuning.learningRate(step));
    }
    // Not after the losses of this step, which the device may not have reached.
    event(
        new Event.Looked(
            (step - 1) / Looks.EVERY * Looks.EVERY,
            seen.loss(),
            seen.bestStep(),
            seen.best(),
            rate));
  }

  private void report(
      long step, FineTuning fineTuning, Recipe.FineTuning recipe, boolean evaluate) {
    FineTuning.Losses losses = fineTuning.losses();
    event(
        new Event.FineTuningLosses(
            step,
            losses.clean(),
            losses.cleanDistillation(),
            recipe.promotion()
                ? Optional.of(new Event.Promoted(losses.promoted(), losses.promotedDistillation()))
                : Optional.empty(),
            fineTuning.learningRate(step - 1),
            evaluate ? Optional.of(evaluation.score()) : Optional.empty()));
  }

  private Hast.Result result() {
    QuantizedNetwork network =
        QuantizedNetwork.of(
            state.units().network().withWeights(state.student().download(memory)),
            job.scheme(),
            state.quantization().download(memory),
            new Provenance(job.sourceSha256(), job.recipe().rendered(), job.seed()));
    Score first = rounded.orElseThrow();
    Score last = fineTuned.orElseThrow();
    return new Hast.Result(
        network,
        evaluation.fullPrecision(),
        first.accuracy(),
        last.accuracy().or(evaluation::accuracy),
        first.agreement(),
        last.agreement(),
        judgement.map(Looks.Judgement::bestStep).orElseThrow(),
        rollbacks,
        mismatch,
        warning());
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

  private void event(Event event) {
    journal.event(event);
    listener.event(event);
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
    if (stopping || journal.due()) {
      save(stage, done, saved);
    }
    if (stopping) {
      throw new StoppedException();
    }
  }

  private void save(Stage stage, long done, List<Storage> saved) {
    settle();
    journal.save(new Snapshot(stage, done, rounded, fineTuned), memory, saved);
  }
}
