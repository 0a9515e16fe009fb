package org.hast4j.exec;

import org.hast4j.graph.Loss;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.BnStatsLossFwd;
import org.hast4j.kernel.abi.DistillKlFwd;
import org.hast4j.kernel.abi.FeatureAlignFwd;
import org.hast4j.kernel.abi.HardCeFwd;

/** Kernels of losses. */
final class LossLowering {
  private LossLowering() {}

  static Launch launch(Loss operation, BoundStep step) {
    KernelLibrary library = step.library();
    return switch (operation) {
      case Loss.BnStatsLoss op ->
          new BnStatsLossFwd(library)
              .loss(step.out(0))
              .statGrad(step.out(1))
              .mean(step.in(0))
              .variance(step.in(1))
              .runningMean(step.in(2))
              .runningVariance(step.in(3))
              .rows(op.rows())
              .c(step.elements(0))
              .weight(op.weight())
              .accumulate(op.accumulates() ? 1 : 0);
      case Loss.HardCrossEntropy op ->
          new HardCeFwd(library)
              .loss(step.out(0))
              .dlogits(step.out(1))
              .difficulty(step.out(2))
              .logits(step.in(0))
              .labels(step.in(1))
              .n(step.shape(0).size(0))
              .k(step.shape(0).size(1))
              .beta(op.beta())
              .gamma(op.gamma());
      case Loss.DistillKl op ->
          new DistillKlFwd(library)
              .loss(step.out(0))
              .dstudent(step.out(1))
              .dteacher(step.out(2))
              .student(step.in(0))
              .teacher(step.in(1))
              .n(step.shape(0).size(0))
              .k(step.shape(0).size(1))
              .temperature(op.temperature())
              .alpha(op.alpha());
      case Loss.FeatureAlign op ->
          new FeatureAlignFwd(library)
              .loss(step.out(0))
              .studentGrad(step.out(1))
              .teacherGrad(step.out(2))
              .student(step.in(0))
              .teacher(step.in(1))
              .n(step.shape(0).size(0))
              .hw(op.area())
              .c(step.shape(0).size(1))
              .lambda(op.lambda())
              .accumulate(op.accumulates() ? 1 : 0);
    };
  }
}
