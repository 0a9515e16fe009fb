package org.hast4j.hast;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.hast4j.device.Device;
import org.hast4j.exec.Memory;
import org.hast4j.failure.RefusedException;
import org.hast4j.graph.Storage;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Sha256;
import org.hast4j.model.Model;
import org.hast4j.model.ModelDescription;
import org.hast4j.nn.AlignmentTaps;
import org.hast4j.zoo.Topologies;

/**
 * Quantisations in folders: {@link Hast}, in a folder that one process has at a time, with metrics,
 * and with checkpoints from which it can be resumed at any moment. What comes out does not depend
 * on interruptions.
 */
public final class Run {
  private final Device device;
  private final Listener listener;
  private final Duration checkpointEvery;
  private final boolean diagnose;

  /**
   * @param checkpointEvery how much work a kill may cost
   */
  public Run(Device device, Listener listener, Duration checkpointEvery) {
    this(device, listener, checkpointEvery, false);
  }

  /**
   * @param checkpointEvery how much work a kill may cost
   * @param diagnose whether the metrics also show, at the price of some speed, what the optimisers
   *     do: every iteration of synthesis, and the student's layers as often as fine-tuning's losses
   */
  public Run(Device device, Listener listener, Duration checkpointEvery, boolean diagnose) {
    this.device = device;
    this.listener = listener;
    this.checkpointEvery = checkpointEvery;
    this.diagnose = diagnose;
  }

  /**
   * Runs or resumes a job.
   *
   * @throws RefusedException if the folder holds another run, or holds one and {@code resume} is
   *     false
   */
  public Hast.Result quantize(Job job, Path folder, boolean resume, Optional<Hast.Test> test) {
    Map<String, Object> identity = identity(job);
    try (RunDirectory directory = RunDirectory.open(folder, identity, resume);
        Memory memory = new Memory(device)) {
      Hast.Result result = stages(job, identity, directory, memory, test).toEnd();
      result.network().write(directory.quantized());
      directory.writeJson("result.json", json(job, result, directory.quantized()));
      return result;
    }
  }

  /** Synthesises the images of a job only. The folder can be resumed by {@link #quantize} later. */
  public Path synthesize(Job job, Path folder, boolean resume) {
    Map<String, Object> identity = identity(job);
    try (RunDirectory directory = RunDirectory.open(folder, identity, resume);
        Memory memory = new Memory(device)) {
      stages(job, identity, directory, memory, Optional.empty()).toImages();
      return directory.synthetic();
    }
  }

  /** The stages from where the folder stands; only when they can be done it becomes the run's. */
  private Stages stages(
      Job job,
      Map<String, Object> identity,
      RunDirectory directory,
      Memory memory,
      Optional<Hast.Test> test) {
    Stages stages = new Stages(job, memory, test, listener, diagnose);
    Path checkpoint = directory.checkpoint();
    boolean begun = Files.exists(checkpoint);
    Snapshot resumed = begun ? Snapshot.read(checkpoint) : Snapshot.START;
    if (resumed.done() > stages.units(resumed.stage())) {
      throw new CorruptFileException(
          checkpoint,
          "it stands at %d of %d in stage %s"
              .formatted(resumed.done(), stages.units(resumed.stage()), resumed.stage()));
    }
    directory.claim(identity, Map.of("device", device.description()), job.recipe().rendered());
    directory.truncateMetrics(begun ? Snapshot.metricsBytes(checkpoint) : 0);
    stages.note(new FolderJournal(job, directory, resumed, checkpointEvery));
    return stages;
  }

  /** Notes in a run's folder. */
  private static final class FolderJournal implements Journal {
    private final Job job;
    private final RunDirectory directory;
    private final Snapshot resumed;
    private final Duration checkpointEvery;
    private long lastSave = System.nanoTime();

    FolderJournal(Job job, RunDirectory directory, Snapshot resumed, Duration checkpointEvery) {
      this.job = job;
      this.directory = directory;
      this.resumed = resumed;
      this.checkpointEvery = checkpointEvery;
    }

    @Override
    public Snapshot resumed() {
      return resumed;
    }

    @Override
    public void restore(Memory memory, List<Storage> state) {
      Snapshot.restore(directory.checkpoint(), memory, state);
    }

    @Override
    public void restoreImages(Memory memory, DataSet dataSet) {
      SyntheticSet.read(List.of(directory.synthetic()), job.teacher(), memory, dataSet);
    }

    @Override
    public void images(Memory memory, DataSet dataSet) {
      SyntheticSet.write(directory.synthetic(), memory, dataSet, job.teacher(), job.sourceSha256());
    }

    @Override
    public void event(Event event) {
      directory.append(MetricsLine.of(event));
    }

    @Override
    public boolean due() {
      return System.nanoTime() - lastSave >= checkpointEvery.toNanos();
    }

    @Override
    public void save(Snapshot snapshot, Memory memory, List<Storage> state) {
      snapshot.write(directory.checkpoint(), memory, state, directory.forcedMetricsBytes());
      lastSave = System.nanoTime();
    }
  }

  private static Map<String, Object> json(Job job, Hast.Result result, Path quantized) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("layer_bits", job.scheme().named());
    json.put("alignment_taps", AlignmentTaps.of(job.teacher().model()));
    result.fullPrecision().ifPresent(value -> put(json, "full_precision_", value));
    result.rounded().ifPresent(value -> put(json, "rounded_", value));
    result.fineTuned().ifPresent(value -> put(json, "fine_tuned_", value));
    json.put("rounded_agreement", result.roundedAgreement());
    json.put("fine_tuned_agreement", result.agreement());
    json.put("kept_step", result.keptStep());
    json.put("rollbacks", result.rollbacks());
    json.put("statistics_mismatch", result.statisticsMismatch());
    result.warning().ifPresent(text -> json.put("warning", text));
    json.put("quantised_sha256", Sha256.of(quantized));
    return json;
  }

  private static void put(Map<String, Object> json, String prefix, Accuracy accuracy) {
    json.put(prefix + "accuracy", accuracy.top1());
    accuracy.top5().ifPresent(top5 -> json.put(prefix + "top5", top5));
  }

  /** A name that stands for one structure only. */
  private static String structure(Model model) {
    if (Topologies.isBuiltIn(model)) {
      return model.name();
    }
    String json = new ModelDescription(model, Optional.empty()).json(false);
    return model.name() + " " + Sha256.of(json.getBytes(StandardCharsets.UTF_8));
  }

  private static Map<String, Object> identity(Job job) {
    Map<String, Object> identity = new LinkedHashMap<>();
    identity.put("topology", structure(job.teacher().model()));
    identity.put("source_sha256", job.sourceSha256());
    identity.put("normalisation", job.teacher().normalization().toString());
    identity.put("weight_bits", job.scheme().bits().weights());
    identity.put("activation_bits", job.scheme().bits().activations());
    identity.put(RunDirectory.LAYER_BITS, job.scheme().named());
    identity.put(RunDirectory.POINTS, job.scheme().points().toString());
    identity.put("seed", job.seed());
    identity.put(
        "images",
        switch (job.images()) {
          case Images.Synthesized made ->
              "synthesised" + (made.firstBatch() == 0 ? "" : " from batch " + made.firstBatch());
          case Images.Stored stored ->
              stored.files().stream().map(Sha256::of).collect(Collectors.joining(" "));
          case Images.Real real ->
              (real.labeled() ? "real " : "real, unlabelled ") + real.set().sha256();
        });
    identity.put(RunDirectory.RECIPE, job.recipe().rendered());
    return identity;
  }
}
