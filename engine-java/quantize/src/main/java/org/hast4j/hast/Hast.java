package org.hast4j.hast;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.hast4j.data.LabeledImages;
import org.hast4j.device.Device;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.exec.Memory;
import org.hast4j.failure.RefusedException;
import org.hast4j.quant.QuantizedNetwork;

/**
 * The method: synthesis, calibration, fine-tuning. On one kind of processor the result depends on
 * the job alone, not on the number of threads; on a GPU also on the precision and on what computes
 * which convolution. {@link Run} does the same in a folder from which it can be resumed.
 */
public final class Hast {
  private Hast() {}

  /**
   * Test images to follow a run with. They decide nothing.
   *
   * @param steps fine-tuning steps after which to evaluate; after calibration and at the end it is
   *     done anyway
   */
  public record Test(LabeledImages images, Set<Long> steps) {}

  /**
   * What came out.
   *
   * @param fullPrecision the teacher's accuracy on the test images; empty without test images, as
   *     the next two
   * @param rounded the quantised network's straight after calibration
   * @param fineTuned the quantised network's in the end
   * @param roundedAgreement share of (at most 1024 of) the data set's images that teacher and
   *     quantised network classify alike straight after calibration, percent
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
      QuantizedNetwork network,
      Optional<Accuracy> fullPrecision,
      Optional<Accuracy> rounded,
      Optional<Accuracy> fineTuned,
      double roundedAgreement,
      double agreement,
      long keptStep,
      long rollbacks,
      Map<String, Double> statisticsMismatch,
      Optional<String> warning) {}

  /**
   * Quantises a network in memory: nothing is read and nothing is written.
   *
   * @throws RefusedException if the job cannot be done
   * @throws DivergedException if the losses are no numbers
   */
  public static Result quantize(Job job, Device device) {
    return quantize(job, device, Optional.empty(), new Listener() {});
  }

  /** Likewise, followed by test images and heard by a listener. */
  public static Result quantize(Job job, Device device, Optional<Test> test, Listener listener) {
    job.check();
    try (Memory memory = new Memory(device)) {
      return new Stages(job, memory, test, listener, false).toEnd();
    }
  }

  /**
   * Whether the BatchNorm statistics that the method goes by fit a job's network.
   *
   * @throws RefusedException if no convolution feeds a BatchNorm
   */
  public static StatisticsCheck check(Job job, Device device) {
    job.check();
    return StatisticsCheck.of(device, job.teacher(), job.seed());
  }

  /**
   * What a job will take on a device. It is tried for a moment, and leaves nothing behind.
   *
   * @throws RefusedException if the job cannot be done
   * @throws org.hast4j.device.DeviceMemoryException if it does not fit
   */
  public static Expectation expect(Job job, Device device) {
    return Expectation.of(OpenDevice.of(device), job);
  }
}
