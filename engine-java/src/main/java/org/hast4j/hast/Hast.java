package org.hast4j.hast;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.hast4j.data.ImageSet;
import org.hast4j.device.Device;
import org.hast4j.exec.Memory;
import org.hast4j.graph.Storage;
import org.hast4j.io.Sha256;
import org.hast4j.nn.Generator;
import org.hast4j.nn.Mode;
import org.hast4j.nn.Network;
import org.hast4j.nn.Parameters;
import org.hast4j.nn.Topology;
import org.hast4j.quant.Provenance;
import org.hast4j.quant.QuantisedNetwork;

/**
 * A whole run: synthesis, calibration, fine-tuning, in a folder from which it can be resumed at any
 * moment. On one kind of processor the result depends on the job alone, not on interruptions and
 * not on the number of threads; on a GPU also on the precision and on what computes which
 * convolution.
 */
public final class Hast {
  private static final int METRICS_EVERY = 50;
  private static final int AGREEMENT_IMAGES = 1024;
  private static final String ACCURACY = "accuracy";
  private static final String AGREEMENT = "agreement";
  private static final String DIAGNOSIS = "diagnosis";
  private static final Runnable NOTHING = () -> {};

  private final Device device;
  private final Listener listener;
  private final Duration checkpointEvery;
  private final boolean diagnose;

  /**
   * @param checkpointEvery how much work a kill may cost
   */
  public Hast(Device device, Listener listener, Duration checkpointEvery) {
    this(device, listener, checkpointEvery, false);
  }

  /**
   * @param checkpointEvery how much work a kill may cost
   * @param diagnose whether the metrics also show, at the price of some speed, what the optimisers
   *     do: every iteration of synthesis, and the student's layers as often as fine-tuning's losses
   */
  public Hast(Device device, Listener listener, Duration checkpointEvery, boolean diagnose) {
    this.device = device;
    this.listener = listener;
    this.checkpointEvery = checkpointEvery;
    this.diagnose = diagnose;
  }

  /**
   * Test images to follow a run with. They decide nothing.
   *
   * @param steps fine-tuning steps after which to evaluate; after calibration and at the end it is
   *     done anyway
   */
  public record Test(ImageSet images, Set<Long> steps) {}

  /**
   * What came out.
   *
   * @param fullPrecision the teacher's accuracy on the test images, percent; empty without test
   *     images, as the next two
   * @param rounded the quantised network's straight after calibration
   * @param fineTuned the quantised network's in the end
   * @param roundedAgreement share of (at most 1024 of) the pool's images that teacher and quantised
   *     network classify alike straight after calibration, percent
   * @param agreement the same in the end
   */
  public record Result(
      QuantisedNetwork network,
      Optional<Double> fullPrecision,
      Optional<Double> rounded,
      Optional<Double> fineTuned,
      double roundedAgreement,
      double agreement) {}

  /**
   * Runs or resumes a job.
   *
   * @throws IllegalArgumentException if the folder holds another run, or holds one and {@code
   *     resume} is false
   */
  public Result quantise(Job job, Path folder, boolean resume, Optional<Test> test) {
    Map<String, Object> identity = identity(job);
    try (RunDirectory directory = RunDirectory.open(folder, identity, resume);
        Memory memory = new Memory(device)) {
      return new Run(job, identity, directory, memory, test).toEnd();
    }
  }

  /** Synthesises the images of a job only. The folder can be resumed by {@link #quantise} later. */
  public Path synthesise(Job job, Path folder, boolean resume) {
    Map<String, Object> identity = identity(job);
    try (RunDirectory directory = RunDirectory.open(folder, identity, resume);
        Memory memory = new Memory(device)) {
      new Run(job, identity, directory, memory, Optional.empty()).toImages();
      return directory.synthetic();
    }
  }

  private static Map<String, Object> identity(Job job) {
    Map<String, Object> identity = new LinkedHashMap<>();
    identity.put("topology", job.teacher().topology().name());
    identity.put("source_sha256", job.sourceSha256());
    identity.put("normalisation", job.teacher().normalization().toString());
    identity.put("weight_bits", job.weightBits());
    identity.put("activation_bits", job.activationBits());
    identity.put("seed", job.seed());
    identity.put(
        "images",
        switch (job.images()) {
          case Images.Synthesised _ -> "synthesised";
          case Images.Stored stored -> Sha256.of(stored.file());
          case Images.Real real -> "real " + real.set().sha256();
        });
    identity.put(RunDirectory.RECIPE, job.recipe().rendered());
    return identity;
  }

  /** One run's memory and place. */
  private final class Run {
    private final Job job;
    private final RunDirectory directory;
    private final Memory memory;
    private final Optional<Test> test;
    private final Parameters teacher;
    private final Parameters student;
    private final Quantisation quantisation;
    private final Pool pool;
    private final Snapshot resumed;
    private long lastCheckpoint = System.nanoTime();
    // What is known of a moment that the device may not have reached yet.
    private Runnable pending = NOTHING;

    /**
     * Checks everything about the job that can be checked before any work; only then the folder is
     * the run's.
     */
    Run(
        Job job,
        Map<String, Object> identity,
        RunDirectory directory,
        Memory memory,
        Optional<Test> test) {
      this.job = job;
      this.directory = directory;
      this.memory = memory;
      this.test = test;
      Network network = job.teacher();
      Recipe.Calibration calibration = job.recipe().calibration();
      switch (calibration.source()) {
        case GENERATOR -> Generator.check(calibration.latent(), network.topology());
        case SYNTHETIC -> {}
      }
      teacher = new Parameters(network.topology(), "teacher");
      student = new Parameters(network.topology(), "student");
      quantisation = Quantisation.of(network.topology(), job.weightBits(), job.activationBits());
      int images =
          switch (job.images()) {
            case Images.Synthesised _ -> job.recipe().synthesis().images();
            case Images.Stored stored -> SyntheticSet.count(stored.file(), network);
            case Images.Real real -> real.set().count();
          };
      pool = Pool.of(network.topology(), images);
      resumed =
          Files.exists(directory.checkpoint())
              ? Snapshot.read(directory.checkpoint())
              : new Snapshot(Stage.SYNTHESIS, 0, 0);
      teacher.upload(memory, network);
      student.upload(memory, network);
      // A pool that does not fit is known now rather than after the first batch.
      memory.buffer(pool.images());
      directory.claim(identity, Map.of("device", device.description()), job.recipe().rendered());
      directory.truncateMetrics(resumed.metricsBytes());
    }

    void toImages() {
      switch (job.images()) {
        case Images.Synthesised _ -> synthesise();
        case Images.Stored stored -> SyntheticSet.read(stored.file(), job.teacher(), memory, pool);
        case Images.Real real -> pool.upload(memory, real.set(), job.teacher().normalization());
      }
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
        SyntheticSet.read(directory.synthetic(), job.teacher(), memory, pool);
        return;
      }
      Recipe.Synthesis recipe = job.recipe().synthesis();
      try (Synthesis synthesis = new Synthesis(memory, teacher, recipe, job.seed())) {
        List<Storage> state = new ArrayList<>(synthesis.state());
        state.add(pool.images());
        state.add(pool.labels());
        long done = doneBefore(Stage.SYNTHESIS);
        if (done > 0) {
          Snapshot.restore(directory.checkpoint(), memory, state);
        }
        long total = (long) recipe.images() / recipe.batch() * recipe.iterations();
        SynthesisDiagnosis diagnosis = diagnose ? synthesis.diagnosis() : null;
        for (; done < total; done++) {
          int batch = Math.toIntExact(done / recipe.iterations());
          int index = Math.toIntExact(done % recipe.iterations());
          if (index == 0) {
            synthesis.begin(batch);
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
            synthesis.finish(batch, pool);
          }
          listener.progress(Stage.SYNTHESIS, done + 1, total);
          checkpoint(Stage.SYNTHESIS, done + 1, state);
        }
        settle();
      }
      SyntheticSet.write(directory.synthetic(), memory, pool, job.teacher(), job.sourceSha256());
      save(Stage.CALIBRATION, 0, List.of());
    }

    private void report(int batch, int iteration, Synthesis.Losses losses) {
      if (!Float.isFinite(losses.total())) {
        throw new IllegalStateException(
            "the synthesis loss became %s in batch %d: are the network's weights, variances and normalisation right, or was synthesis.learning-rate raised?"
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
      return line;
    }

    Result toEnd() {
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
      try (Calibration calibration =
          new Calibration(
              memory,
              teacher,
              student,
              quantisation,
              pool,
              FineTuning.crop(job.recipe().fineTuning()),
              recipe,
              job.seed())) {
        long done = doneBefore(Stage.CALIBRATION);
        if (done > 0) {
          Snapshot.restore(directory.checkpoint(), memory, calibration.state());
        }
        for (; done < recipe.iterations(); done++) {
          calibration.iterate();
          listener.progress(Stage.CALIBRATION, done + 1, recipe.iterations());
          checkpoint(Stage.CALIBRATION, done + 1, calibration.state());
        }
        float[] ranges = memory.floats(quantisation.ranges());
        checkRanges(ranges, recipe.iterations());
        Map<String, Object> line = line(Stage.CALIBRATION);
        line.put("iteration", recipe.iterations());
        calibration.loss().ifPresent(loss -> line.put("generator_loss", loss));
        line.put("ranges", ranges);
        evaluated(line);
      }
    }

    private static void checkRanges(float[] ranges, int iterations) {
      for (int i = 0; i < ranges.length; i++) {
        if (!Float.isFinite(ranges[i])) {
          throw new IllegalStateException(
              "the range of activation quantiser %d is %s after %d calibration iterations: raise calibration.iterations"
                  .formatted(i / 2, ranges[i], iterations));
        }
      }
    }

    private void fineTune() {
      Recipe.FineTuning recipe = job.recipe().fineTuning();
      try (FineTuning fineTuning =
              new FineTuning(memory, teacher, student, quantisation, pool, recipe, job.seed());
          FineTuningDiagnosis diagnosis =
              diagnose ? new FineTuningDiagnosis(memory, student, quantisation, pool) : null) {
        List<Storage> state = new ArrayList<>(fineTuning.state());
        state.add(quantisation.ranges());
        long done = doneBefore(Stage.FINE_TUNING);
        if (past(Stage.CALIBRATION)) {
          Snapshot.restore(directory.checkpoint(), memory, state);
          done = resumed.stage() == Stage.DONE ? recipe.steps() : done;
        } else {
          save(Stage.FINE_TUNING, 0, state);
        }
        for (; done < recipe.steps(); done++) {
          fineTuning.iterate(done);
          long step = done + 1;
          boolean evaluate =
              test.isPresent() && test.get().steps().contains(step) && step < recipe.steps();
          boolean last = step == recipe.steps();
          if (step % METRICS_EVERY == 0 || last || evaluate) {
            settle();
            fineTuning.fetchLosses();
            pending = () -> report(step, fineTuning, recipe, evaluate || last);
          }
          if (last || evaluate) {
            settle();
          }
          if (diagnose && step % METRICS_EVERY == 0) {
            settle();
            Map<String, Object> line = line(Stage.FINE_TUNING);
            line.put("step", step);
            line.put(DIAGNOSIS, diagnosis.signals());
            metrics(line);
          }
          listener.progress(Stage.FINE_TUNING, step, recipe.steps());
          checkpoint(Stage.FINE_TUNING, step, state);
        }
        if (resumed.stage() != Stage.DONE) {
          save(Stage.DONE, 0, state);
        }
      }
    }

    private void report(
        long step, FineTuning fineTuning, Recipe.FineTuning recipe, boolean evaluate) {
      FineTuning.Losses losses = fineTuning.losses();
      checkLoss("clean", losses.clean(), step);
      checkLoss("promoted", losses.promoted(), step);
      Map<String, Object> line = line(Stage.FINE_TUNING);
      line.put("step", step);
      line.put("clean_loss", losses.clean());
      line.put("clean_distillation", losses.cleanDistillation());
      if (recipe.promotion()) {
        line.put("promoted_loss", losses.promoted());
        line.put("promoted_distillation", losses.promotedDistillation());
      }
      line.put("learning_rate", fineTuning.learningRate((step - 1) / recipe.epochSteps()));
      if (evaluate) {
        evaluated(line);
      } else {
        metrics(line);
      }
    }

    private static void checkLoss(String name, float loss, long step) {
      if (!Float.isFinite(loss)) {
        throw new IllegalStateException(
            "the %s fine-tuning loss became %s at step %d: lower fine-tuning.learning-rate, or the weights fine-tuning.alpha and lambda if they were raised"
                .formatted(name, loss, step));
      }
    }

    /** Adds accuracy on the test images and agreement on the pool to a line of metrics. */
    private void evaluated(Map<String, Object> line) {
      try (Evaluation evaluation = quantisedEvaluation()) {
        test.ifPresent(t -> line.put(ACCURACY, accuracy(evaluation, t)));
        line.put(AGREEMENT, agreement(evaluation));
      }
      metrics(line);
    }

    private double accuracy(Evaluation evaluation, Test given) {
      return evaluation.accuracy(given.images(), job.teacher().normalization(), _ -> {});
    }

    /** Accuracy of a network that was finished without test images. */
    private double accuracyNow(Test given) {
      try (Evaluation evaluation = quantisedEvaluation()) {
        return accuracy(evaluation, given);
      }
    }

    private Evaluation quantisedEvaluation() {
      return Evaluation.of(
          memory,
          student,
          job.weightBits(),
          new Mode.Quantised(job.activationBits(), quantisation.ranges()));
    }

    private double agreement(Evaluation quantised) {
      int count = Math.min(pool.count(), AGREEMENT_IMAGES);
      int size = Math.toIntExact(pool.imageType().shape().elements() / pool.count());
      Topology topology = job.teacher().topology();
      int part = Evaluation.batch(topology);
      int alike = 0;
      try (Evaluation full = Evaluation.of(memory, teacher)) {
        for (int start = 0; start < count; start += part) {
          int n = Math.min(part, count - start);
          float[] images = new float[n * size];
          memory.buffer(pool.images()).download((long) start * size * Float.BYTES, images);
          alike +=
              Evaluation.alike(
                  full.logits(images, n), quantised.logits(images, n), topology.classes());
        }
      }
      return 100.0 * alike / count;
    }

    private Result result() {
      QuantisedNetwork network =
          QuantisedNetwork.of(
              job.teacher().withWeights(student.download(memory)),
              job.weightBits(),
              job.activationBits(),
              memory.floats(quantisation.ranges()),
              new Provenance(job.sourceSha256(), job.recipe().rendered(), job.seed()));
      network.write(directory.quantised());
      Optional<Double> fullPrecision = Optional.empty();
      if (test.isPresent()) {
        try (Evaluation evaluation = Evaluation.of(memory, teacher)) {
          fullPrecision = Optional.of(accuracy(evaluation, test.get()));
        }
      }
      // The metrics are the record of what was evaluated when, also by the processes that came
      // before.
      List<Map<String, Object>> lines =
          directory.metricsLines().stream().filter(line -> line.containsKey(AGREEMENT)).toList();
      Result result =
          new Result(
              network,
              fullPrecision,
              number(lines.getFirst(), ACCURACY),
              number(lines.getLast(), ACCURACY).or(() -> test.map(this::accuracyNow)),
              number(lines.getFirst(), AGREEMENT).orElseThrow(),
              number(lines.getLast(), AGREEMENT).orElseThrow());
      Map<String, Object> json = new LinkedHashMap<>();
      result.fullPrecision().ifPresent(value -> json.put("full_precision_accuracy", value));
      result.rounded().ifPresent(value -> json.put("rounded_accuracy", value));
      result.fineTuned().ifPresent(value -> json.put("fine_tuned_accuracy", value));
      json.put("rounded_agreement", result.roundedAgreement());
      json.put("fine_tuned_agreement", result.agreement());
      json.put("quantised_sha256", Sha256.of(directory.quantised()));
      directory.writeJson("result.json", json);
      return result;
    }

    private static Optional<Double> number(Map<String, Object> line, String key) {
      return Optional.ofNullable((Number) line.get(key)).map(Number::doubleValue);
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
     * Reports what is pending. Called when the next report or a checkpoint is due: by then the
     * device has long come past it, and it is never more than one report ahead.
     */
    private void settle() {
      Runnable due = pending;
      pending = NOTHING;
      due.run();
    }

    private void checkpoint(Stage stage, long done, List<Storage> state) {
      if (System.nanoTime() - lastCheckpoint >= checkpointEvery.toNanos()) {
        save(stage, done, state);
      }
    }

    private void save(Stage stage, long done, List<Storage> state) {
      settle();
      new Snapshot(stage, done, directory.forcedMetricsBytes())
          .write(directory.checkpoint(), memory, state);
      lastCheckpoint = System.nanoTime();
    }
  }
}
