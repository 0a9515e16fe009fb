package org.hast4j.hast;

import java.util.Optional;
import org.hast4j.exec.Memory;
import org.hast4j.model.Model;

/**
 * How good a run's student is as it stands: its accuracy on test images, where there are some, and
 * its agreement with the teacher on the data set, both in percent.
 */
record StudentEvaluation(Job job, RunState state, Optional<Hast.Test> test) {
  private static final int AGREEMENT_IMAGES = 1024;

  Score score() {
    try (Evaluation student = student()) {
      return new Score(test.map(given -> accuracy(student, given)), agreement(student));
    }
  }

  /** Accuracy alone. */
  Optional<Accuracy> accuracy() {
    return test.map(
        given -> {
          try (Evaluation student = student()) {
            return accuracy(student, given);
          }
        });
  }

  /** Accuracy of the network as it came, not of its normal form. */
  Optional<Accuracy> fullPrecision() {
    return test.map(
        given -> {
          int batch = Evaluation.batch(job.teacher().model());
          try (Evaluation teacher = Evaluation.of(state.memory(), job.teacher(), batch)) {
            return accuracy(teacher, given);
          }
        });
  }

  private Evaluation student() {
    return Evaluation.of(state.memory(), state.student(), state.quantization());
  }

  private Accuracy accuracy(Evaluation evaluation, Hast.Test given) {
    return evaluation.accuracy(given.images(), job.teacher().normalization(), _ -> {});
  }

  private double agreement(Evaluation student) {
    Memory memory = state.memory();
    DataSet dataSet = state.dataSet();
    int count = Math.min(dataSet.count(), AGREEMENT_IMAGES);
    Model model = job.teacher().model();
    int part = Evaluation.batch(model);
    int alike = 0;
    try (Evaluation teacher = Evaluation.of(memory, state.teacher())) {
      for (int start = 0; start < count; start += part) {
        int n = Math.min(part, count - start);
        float[] images = dataSet.pixels(memory, start, n);
        alike +=
            Evaluation.alike(teacher.logits(images, n), student.logits(images, n), model.classes());
      }
    }
    return 100.0 * alike / count;
  }
}
