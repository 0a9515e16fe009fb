package org.hast4j.hast;

import java.util.LinkedHashMap;
import java.util.Map;

/** An event as a line of a run's metrics file (docs/usage.md). */
final class MetricsLine {
  private MetricsLine() {}

  static Map<String, Object> of(Event event) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("stage", event.stage().name());
    switch (event) {
      case Event.SynthesisLosses seen -> {
        line.put("batch", seen.batch());
        line.put("iteration", seen.iteration());
        line.put("loss", seen.total());
        line.put("hard_sample_loss", seen.hardSample());
        line.put("statistics_loss", seen.statistics());
        line.put("learning_rate", seen.learningRate());
        line.put("lowest_loss", seen.lowest());
        if (!seen.diagnosis().isEmpty()) {
          line.put("diagnosis", seen.diagnosis());
        }
      }
      case Event.ImagesReady ready -> line.put("statistics_mismatch", ready.statisticsMismatch());
      case Event.Calibrated done -> {
        line.put("iteration", done.iterations());
        done.generatorLoss().ifPresent(loss -> line.put("generator_loss", loss));
        line.put("ranges", done.ranges());
        put(line, done.score());
      }
      case Event.FineTuningLosses seen -> {
        line.put("step", seen.step());
        line.put("clean_loss", seen.clean());
        line.put("clean_distillation", seen.cleanDistillation());
        seen.promoted()
            .ifPresent(
                promoted -> {
                  line.put("promoted_loss", promoted.loss());
                  line.put("promoted_distillation", promoted.distillation());
                });
        line.put("learning_rate", seen.learningRate());
        seen.score().ifPresent(score -> put(line, score));
      }
      case Event.StudentDiagnosed seen -> {
        line.put("step", seen.step());
        line.put("diagnosis", seen.signals());
      }
      case Event.Looked seen -> {
        line.put("look", seen.step());
        line.put("held_back_loss", seen.loss());
        line.put("best_step", seen.bestStep());
        line.put("best_held_back_loss", seen.best());
        seen.rolledBackRate()
            .ifPresent(
                rate -> {
                  line.put("rolled_back_to", seen.bestStep());
                  line.put("learning_rate", rate);
                });
      }
      case Event.FineTuned done -> {
        line.put("step", done.steps());
        line.put("kept_step", done.keptStep());
        line.put("held_back_loss", done.loss());
        line.put("rounded_held_back_loss", done.roundedLoss());
        put(line, done.score());
      }
    }
    return line;
  }

  private static void put(Map<String, Object> line, Score score) {
    score
        .accuracy()
        .ifPresent(
            accuracy -> {
              line.put("accuracy", accuracy.top1());
              accuracy.top5().ifPresent(top5 -> line.put("top5", top5));
            });
    line.put("agreement", score.agreement());
  }
}
