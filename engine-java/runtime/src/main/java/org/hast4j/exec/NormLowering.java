package org.hast4j.exec;

import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.BnActBwd;
import org.hast4j.kernel.abi.BnActBwdWorkspaceBytes;
import org.hast4j.kernel.abi.BnActFwd;
import org.hast4j.kernel.abi.BnActFwdWorkspaceBytes;
import org.hast4j.kernel.abi.BnRunningStep;
import org.hast4j.kernel.abi.BnStatsFwd;
import org.hast4j.kernel.abi.BnStatsWorkspaceBytes;
import org.hast4j.kernel.abi.ChannelSumFwd;
import org.hast4j.kernel.abi.ChannelSumWorkspaceBytes;
import org.hast4j.tensor.Shape;
import org.hast4j.tensor.StraightThrough;

/** Kernels of batch normalization. */
final class NormLowering {
  private NormLowering() {}

  static long workspaceBytes(Norm operation, Node node, KernelLibrary library) {
    Shape u = BoundStep.shape(node, operation instanceof Norm.BnActGrad ? 1 : 0);
    long c = u.size(-1);
    return switch (operation) {
      case Norm.BnStats _ -> new BnStatsWorkspaceBytes(library).rows(u.elements() / c).c(c).call();
      case Norm.ChannelSum _ ->
          new ChannelSumWorkspaceBytes(library).rows(u.elements() / c).c(c).call();
      case Norm.BnAct _ -> new BnActFwdWorkspaceBytes(library).n(u.size(0)).hw(area(u)).c(c).call();
      case Norm.BnActGrad _ ->
          new BnActBwdWorkspaceBytes(library).n(u.size(0)).hw(area(u)).c(c).call();
      case Norm.BnRunningStep _ -> 0;
    };
  }

  private static long area(Shape shape) {
    return shape.size(1) * shape.size(2);
  }

  static Launch launch(Norm operation, BoundStep step) {
    KernelLibrary library = step.library();
    return switch (operation) {
      case Norm.ChannelSum _ ->
          new ChannelSumFwd(library)
              .y(step.out(0))
              .x(step.in(0))
              .workspace(step.workspace())
              .workspaceBytes(step.workspaceBytes())
              .rows(step.elements(0) / step.shape(0).size(-1))
              .c(step.shape(0).size(-1));
      case Norm.BnStats _ ->
          new BnStatsFwd(library)
              .mean(step.out(0))
              .variance(step.out(1))
              .x(step.in(0))
              .workspace(step.workspace())
              .workspaceBytes(step.workspaceBytes())
              .rows(step.elements(0) / step.shape(0).size(-1))
              .c(step.shape(0).size(-1));
      case Norm.BnRunningStep op ->
          new BnRunningStep(library)
              .runningMean(step.in(0))
              .runningVariance(step.in(1))
              .mean(step.in(2))
              .variance(step.in(3))
              .rows(op.rows())
              .c(step.elements(0))
              .momentum(op.momentum());
      case Norm.BnAct op ->
          new BnActFwd(library)
              .y(step.out(Norm.BnAct.Y))
              .mask(step.out(Norm.BnAct.MASK))
              .batchMean(step.out(Norm.BnAct.BATCH_MEAN))
              .batchVariance(step.out(Norm.BnAct.BATCH_VARIANCE))
              .attention(step.out(Norm.BnAct.ATTENTION))
              .u(step.in(0))
              .residual(step.inIf(op.residual(), op.residualInput()))
              .gamma(step.inIf(op.affine(), 3))
              .beta(step.inIf(op.affine(), 4))
              .mean(step.in(1))
              .variance(step.in(2))
              .range(step.inIf(op.bits() > 0, op.rangeInput()))
              .workspace(step.workspace())
              .workspaceBytes(step.workspaceBytes())
              .n(step.shape(0).size(0))
              .hw(area(step.shape(0)))
              .c(step.shape(0).size(3))
              .epsilon(op.epsilon())
              .slope(op.slope())
              .ceiling(op.ceiling())
              .bits(op.bits())
              .inRange(op.straightThrough() == StraightThrough.IN_RANGE ? 1 : 0);
      case Norm.BnActGrad op ->
          new BnActBwd(library)
              .du(step.out(Norm.BnActGrad.DU))
              .dresidual(step.out(Norm.BnActGrad.DRESIDUAL))
              .dgamma(step.out(Norm.BnActGrad.DGAMMA))
              .dbeta(step.out(Norm.BnActGrad.DBETA))
              .dy(step.in(0))
              .mask(step.inIf(op.mask(), op.maskInput()))
              .u(step.in(1))
              .gamma(step.inIf(op.forward().affine(), 4))
              .beta(step.inIf(op.forward().affine(), 5))
              .mean(step.in(2))
              .variance(step.in(3))
              .attentionGrad(step.inIf(op.attention(), op.attentionInput()))
              .statGrad(step.inIf(op.statistics(), op.statisticsInput()))
              .batchMean(step.inIf(op.statistics(), op.statisticsInput() + 1))
              .workspace(step.workspace())
              .workspaceBytes(step.workspaceBytes())
              .n(step.shape(1).size(0))
              .hw(area(step.shape(1)))
              .c(step.shape(1).size(3))
              .epsilon(op.forward().epsilon())
              .slope(op.forward().slope())
              .training(op.forward().training() ? 1 : 0);
    };
  }
}
