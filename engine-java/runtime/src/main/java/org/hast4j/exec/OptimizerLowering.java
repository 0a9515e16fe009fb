package org.hast4j.exec;

import org.hast4j.graph.Optimizer;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.AdamStep;
import org.hast4j.kernel.abi.KeepBestStep;
import org.hast4j.kernel.abi.SampleStep;
import org.hast4j.kernel.abi.SgdStep;

/** Kernels of optimizer steps. */
final class OptimizerLowering {
  private OptimizerLowering() {}

  static Launch launch(Optimizer operation, BoundStep step) {
    KernelLibrary library = step.library();
    return switch (operation) {
      case Optimizer.AdamStep op ->
          new AdamStep(library)
              .p(step.in(0))
              .m(step.in(1))
              .v(step.in(2))
              .g(step.in(3))
              .lr(step.in(4))
              .step(step.in(5))
              .n(step.elements(0))
              .beta1(op.beta1())
              .beta2(op.beta2())
              .epsilon(op.epsilon());
      case Optimizer.SgdStep op ->
          new SgdStep(library)
              .p(step.in(0))
              .buffer(step.in(1))
              .g(step.in(2))
              .lr(step.in(3))
              .rates(step.inIf(step.node().inputs().size() == 5, 4))
              .n(step.elements(0))
              .momentum(op.momentum())
              .decay(op.decay())
              .nesterov(op.nesterov() ? 1 : 0);
      case Optimizer.SampleStep op ->
          new SampleStep(library)
              .p(step.in(0))
              .m(step.in(1))
              .v(step.in(2))
              .state(step.in(3))
              .step(step.in(4))
              .g(step.in(5))
              .loss(step.in(6))
              .n(step.elements(0))
              .beta1(op.beta1())
              .beta2(op.beta2())
              .epsilon(op.epsilon())
              .factor(op.factor())
              .threshold(op.threshold())
              .minLr(op.minLr())
              .lrEpsilon(op.lrEpsilon())
              .patience(op.patience());
      case Optimizer.KeepBestStep _ ->
          new KeepBestStep(library)
              .kept(step.in(0))
              .keptLoss(step.in(1))
              .keptAt(step.in(2))
              .p(step.in(3))
              .loss(step.in(4))
              .now(step.in(5))
              .n(step.elements(0));
    };
  }
}
