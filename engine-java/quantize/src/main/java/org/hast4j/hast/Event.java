package org.hast4j.hast;

import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/** What happened in a quantisation, as it goes into a run's metrics file. */
public sealed interface Event {
  /** In which stage. */
  Stage stage();

  /**
   * Losses of an iteration of synthesis.
   *
   * @param batch counts from 0
   * @param iteration counts from 1 within the batch
   * @param total the sum
   * @param hardSample the hard-sample part
   * @param learningRate the learning rate of the next
   * @param lowest the lowest sum of the batch so far, whose images are kept
   * @param diagnosis signals of the optimiser by name; empty unless they are asked for
   */
  record SynthesisLosses(
      int batch,
      int iteration,
      float total,
      float hardSample,
      float learningRate,
      float lowest,
      Map<String, Object> diagnosis)
      implements Event {
    /** The BN-statistic part. */
    public float statistics() {
      return total - hardSample;
    }

    @Override
    public Stage stage() {
      return Stage.SYNTHESIS;
    }
  }

  /**
   * The images are there.
   *
   * @param statisticsMismatch of each BatchNorm on them: {@link Hast.Result}
   */
  record ImagesReady(Map<String, Double> statisticsMismatch) implements Event {
    @Override
    public Stage stage() {
      return Stage.SYNTHESIS;
    }
  }

  /**
   * Activation ranges are known: the network is rounded.
   *
   * @param iterations of calibration
   * @param generatorLoss its last; empty where no generator is trained
   * @param ranges [quantizers, 2]: {min, max}
   */
  record Calibrated(int iterations, OptionalDouble generatorLoss, float[] ranges, Score score)
      implements Event {
    @Override
    public Stage stage() {
      return Stage.CALIBRATION;
    }
  }

  /**
   * Losses of a step of fine-tuning.
   *
   * @param step counts from 1
   * @param clean the loss on clean samples
   * @param cleanDistillation its distillation part
   * @param promoted the losses on promoted samples, where they are promoted
   * @param learningRate the step's
   * @param score of the student after it, if it was evaluated
   */
  record FineTuningLosses(
      long step,
      float clean,
      float cleanDistillation,
      Optional<Promoted> promoted,
      float learningRate,
      Optional<Score> score)
      implements Event {
    @Override
    public Stage stage() {
      return Stage.FINE_TUNING;
    }
  }

  /**
   * Losses on promoted samples.
   *
   * @param loss the sum
   * @param distillation its distillation part
   */
  record Promoted(float loss, float distillation) {}

  /**
   * What fine-tuning does to the student, if that is asked for.
   *
   * @param signals by name, each layer's
   */
  record StudentDiagnosed(long step, Map<String, Object> signals) implements Event {
    @Override
    public Stage stage() {
      return Stage.FINE_TUNING;
    }
  }

  /**
   * A look at the images held back.
   *
   * @param step after which
   * @param loss the distillation loss on them
   * @param bestStep after which it was lowest
   * @param best the lowest
   * @param rolledBackRate the next learning rate, if the student had diverged and was put back to
   *     the best step
   */
  record Looked(long step, float loss, long bestStep, float best, Optional<Float> rolledBackRate)
      implements Event {
    @Override
    public Stage stage() {
      return Stage.FINE_TUNING;
    }
  }

  /**
   * Fine-tuning is over, and the best student is kept.
   *
   * @param steps of fine-tuning
   * @param keptStep after which it was best
   * @param loss the distillation loss on the images held back then
   * @param roundedLoss the same straight after rounding
   */
  record FineTuned(int steps, long keptStep, float loss, float roundedLoss, Score score)
      implements Event {
    @Override
    public Stage stage() {
      return Stage.FINE_TUNING;
    }
  }
}
