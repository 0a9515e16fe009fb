package org.hast4j.hast;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.hast4j.data.ImageSet;
import org.hast4j.device.Device;
import org.hast4j.exec.Memory;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.Sha256;
import org.hast4j.model.Model;
import org.hast4j.model.ModelDescription;
import org.hast4j.quant.QuantisedNetwork;
import org.hast4j.zoo.Topologies;

/**
 * A whole run: synthesis, calibration, fine-tuning, in a folder from which it can be resumed at any
 * moment. On one kind of processor the result depends on the job alone, not on interruptions and
 * not on the number of threads; on a GPU also on the precision and on what computes which
 * convolution.
 */
public final class Hast {
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
   * @param keptStep how many fine-tuning steps the network that came out has seen: those after
   *     which the distillation loss on the images held back was lowest; 0 is rounding
   * @param rollbacks how often fine-tuning diverged and was put back
   * @param statisticsMismatch for each BatchNorm, mean over the channels of ((m - μ) / s)² + ((v -
   *     σ²) / s²)², m and v a batch's mean and variance of its input, s² = σ² + ε; averaged over
   *     the batches of the images
   * @param warning what is wrong with the result, for people; empty where nothing is
   */
  public record Result(
      QuantisedNetwork network,
      Optional<Double> fullPrecision,
      Optional<Double> rounded,
      Optional<Double> fineTuned,
      double roundedAgreement,
      double agreement,
      long keptStep,
      long rollbacks,
      Map<String, Double> statisticsMismatch,
      Optional<String> warning) {}

  /**
   * Runs or resumes a job.
   *
   * @throws RefusedException if the folder holds another run, or holds one and {@code resume} is
   *     false
   */
  public Result quantise(Job job, Path folder, boolean resume, Optional<Test> test) {
    Map<String, Object> identity = identity(job);
    try (RunDirectory directory = RunDirectory.open(folder, identity, resume);
        Memory memory = new Memory(device)) {
      return run(job, identity, directory, memory, test).toEnd();
    }
  }

  /** Whether the BatchNorm statistics that the method goes by fit a job's network. */
  public StatisticsCheck check(Job job) {
    return StatisticsCheck.of(device, job.teacher(), job.seed());
  }

  /**
   * What a job will take on this device. It is tried for a moment, and leaves nothing behind.
   *
   * @throws RefusedException if the job cannot be done
   * @throws org.hast4j.device.DeviceMemoryException if it does not fit
   */
  public Expectation expect(Job job) {
    return Expectation.of(device, job);
  }

  /** Synthesises the images of a job only. The folder can be resumed by {@link #quantise} later. */
  public Path synthesise(Job job, Path folder, boolean resume) {
    Map<String, Object> identity = identity(job);
    try (RunDirectory directory = RunDirectory.open(folder, identity, resume);
        Memory memory = new Memory(device)) {
      run(job, identity, directory, memory, Optional.empty()).toImages();
      return directory.synthetic();
    }
  }

  private Run run(
      Job job,
      Map<String, Object> identity,
      RunDirectory directory,
      Memory memory,
      Optional<Test> test) {
    return new Run(job, identity, directory, memory, test, listener, checkpointEvery, diagnose);
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
          case Images.Synthesised _ -> "synthesised";
          case Images.Stored stored -> Sha256.of(stored.file());
          case Images.Real real -> "real " + real.set().sha256();
        });
    identity.put(RunDirectory.RECIPE, job.recipe().rendered());
    return identity;
  }
}
