package org.hast4j.hast;

import org.hast4j.exec.Memory;
import org.hast4j.failure.RefusedException;
import org.hast4j.forward.Parameters;
import org.hast4j.forward.QuantizationState;
import org.hast4j.nn.Network;

/**
 * What a run holds on a device from its beginning to its end, and the stages that work on it. Made
 * before any work: what can be checked about a job is checked here, and what does not fit is known.
 */
final class RunState {
  private final Job job;
  private final Memory memory;
  private final Units units;
  private final Parameters teacher;
  private final Parameters student;
  private final QuantizationState quantization;
  private final DataSet dataSet;

  /**
   * @throws RefusedException if the job cannot be done
   * @throws org.hast4j.device.DeviceMemoryException if its images do not fit
   */
  RunState(Job job, Memory memory) {
    this.job = job;
    this.memory = memory;
    Network network = job.teacher();
    Recipe.Calibration calibration = job.recipe().calibration();
    switch (calibration.source()) {
      case GENERATOR -> Generator.check(calibration.latent(), network.model());
      case SYNTHETIC -> {}
    }
    teacher = new Parameters(network.model(), "teacher");
    student = new Parameters(network.model(), "student");
    quantization = QuantizationState.of(network.model(), job.scheme());
    int images =
        switch (job.images()) {
          case Images.Synthesized _ -> job.recipe().synthesis().images();
          case Images.Stored stored -> SyntheticSet.count(stored.files(), network);
          case Images.Real real -> real.set().count();
        };
    dataSet = DataSet.of(network.model(), images);
    units = job.recipe().normalForm() ? Units.normal(network) : Units.own(network);
    teacher.upload(memory, units.network());
    student.upload(
        memory,
        calibration.clipWeights()
            ? WeightClipping.of(units.network(), job.scheme())
            : units.network());
    memory.buffer(dataSet.images());
  }

  Memory memory() {
    return memory;
  }

  Units units() {
    return units;
  }

  Parameters teacher() {
    return teacher;
  }

  Parameters student() {
    return student;
  }

  QuantizationState quantization() {
    return quantization;
  }

  DataSet dataSet() {
    return dataSet;
  }

  /** Iterations or steps of a stage. */
  long units(Stage stage) {
    Recipe recipe = job.recipe();
    return switch (stage) {
      case SYNTHESIS ->
          (long) recipe.synthesis().images()
              / recipe.synthesis().batch()
              * recipe.synthesis().iterations();
      case CALIBRATION -> recipe.calibration().iterations();
      case FINE_TUNING -> recipe.fineTuning().steps();
      case DONE -> 0;
    };
  }

  Synthesis synthesis() {
    return new Synthesis(memory, teacher, units, job.recipe().synthesis(), job.seed());
  }

  Calibration calibration() {
    return new Calibration(
        memory,
        units,
        teacher,
        student,
        quantization,
        dataSet,
        FineTuning.crop(job.recipe().fineTuning()),
        job.recipe().calibration(),
        job.seed());
  }

  /** What follows calibration, as the recipe has it. */
  void refine() {
    Recipe.Calibration recipe = job.recipe().calibration();
    if (recipe.ranges() == Recipe.Ranges.ERROR) {
      RangeSearch.run(memory, student, quantization, dataSet);
    }
    if (recipe.correctStatistics()) {
      StatisticsCorrection.run(memory, units, teacher, student, quantization, dataSet);
    }
  }

  /** Fine-tuning on the images that are not held back. */
  FineTuning fineTuning() {
    return new FineTuning(
        memory,
        units,
        teacher,
        student,
        quantization,
        dataSet.first(dataSet.count() - heldBack()),
        job.recipe().fineTuning(),
        job.seed());
  }

  /** Looks at the images held back, or at all of them where none is. */
  Looks looks(FineTuning fineTuning) {
    int held = heldBack();
    return new Looks(
        memory,
        teacher,
        student,
        quantization,
        dataSet,
        held > 0 ? dataSet.count() - held : 0,
        fineTuning,
        job.recipe().fineTuning(),
        job.seed());
  }

  /**
   * Images at the end of the data set that are only looked at: at least one, if any are asked for.
   */
  private int heldBack() {
    float share = job.recipe().fineTuning().heldBack();
    if (share == 0 || dataSet.count() == 1) {
      return 0;
    }
    return Math.clamp(Math.round(share * dataSet.count()), 1, dataSet.count() - 1);
  }
}
