package org.hast4j.bench;

import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.BnActBwd;
import org.hast4j.kernel.abi.BnActBwdWorkspaceBytes;
import org.hast4j.kernel.abi.BnActFwd;
import org.hast4j.kernel.abi.BnActFwdWorkspaceBytes;
import org.hast4j.kernel.abi.BnStatsFwd;
import org.hast4j.kernel.abi.BnStatsWorkspaceBytes;
import org.hast4j.kernel.abi.FakeQuantFwd;
import org.hast4j.kernel.abi.MinMaxFwd;
import org.hast4j.kernel.abi.MinMaxWorkspaceBytes;

/**
 * The memory-bound kernels of the loops on activations, in the variants the loops use. All of them
 * share their operands.
 */
public final class ActivationKernels {
  private static final float EPSILON = 1e-5f;
  private static final float RELU = 0;
  private static final float IDENTITY = 1;
  private static final int BITS = 4;
  private static final float[] RANGE = {0, 4};

  /**
   * A kernel in one variant and the bytes it must move per element, operands smaller than the
   * activations aside.
   */
  public enum Kind {
    /** Synthesis: u to y, mask and the statistics of u. */
    BN_RELU_STATISTICS(9),
    /** Synthesis, end of a residual unit: also reads the residual. */
    BN_ADD_RELU_STATISTICS(13),
    /** Fine-tuning, student: u to quantised y and mask. */
    BN_RELU_QUANT(9),
    /**
     * Fine-tuning, student, end of a residual unit: also reads the residual and gives the
     * attention.
     */
    BN_ADD_RELU_QUANT_ATTENTION(13),
    /** Fine-tuning, teacher: u to y. */
    BN_RELU(8),
    /** Fine-tuning, teacher, end of a residual unit. */
    BN_ADD_RELU_ATTENTION(12),
    /** Shortcut B: BatchNorm alone. */
    BN(8),
    /** Synthesis: dy, mask, u to du, the statistics' gradient added. */
    BN_GRAD_STATISTICS(13),
    /** Synthesis, end of a residual unit: also gives the residual's gradient. */
    BN_ADD_GRAD_STATISTICS(17),
    /** Fine-tuning: dy, mask, u to du, dgamma, dbeta. */
    BN_GRAD_AFFINE(13),
    /**
     * Fine-tuning, end of a residual unit: also the attention's gradient in, the residual's out.
     */
    BN_ADD_GRAD_AFFINE_ATTENTION(17),
    /**
     * Training: gradients flow through the batch's statistics, so a second pass is needed and not
     * counted.
     */
    BN_GRAD_TRAINING(13),
    /** Training: u to mean and variance. */
    BN_STATS(4),
    /** Calibration: x to its range. */
    MIN_MAX(4),
    /** Calibration: x to quantised y. */
    FAKE_QUANT(8);

    final long bytesPerElement;

    Kind(long bytesPerElement) {
      this.bytesPerElement = bytesPerElement;
    }
  }

  private final OpenDevice device;
  private final Activations size;
  private final long u;
  private final long residual;
  private final long dy;
  private final long y;
  private final long dresidual;
  private final long mask;
  private final long mean;
  private final long variance;
  private final long gamma;
  private final long beta;
  private final long batchMean;
  private final long batchVariance;
  private final long attention;
  private final long statisticsGradient;
  private final long range;
  private final long workspace;
  private final long workspaceBytes;

  /** Allocates and fills the operands. */
  public ActivationKernels(DeviceOperands operands, Activations size) {
    device = operands.device();
    this.size = size;
    u = operands.normal(size.elements());
    residual = operands.normal(size.elements());
    dy = operands.normal(size.elements());
    y = operands.constant(size.elements(), 0);
    dresidual = operands.constant(size.elements(), 0);
    mask = operands.cleared(size.elements());
    mean = operands.constant(size.c(), 0);
    variance = operands.constant(size.c(), 1);
    gamma = operands.constant(size.c(), 1);
    beta = operands.constant(size.c(), 0);
    batchMean = operands.constant(size.c(), 0);
    batchVariance = operands.constant(size.c(), 1);
    attention = operands.constant(size.n() * size.c(), 1e-3f);
    statisticsGradient = operands.constant(2 * size.c(), 1e-3f);
    range = operands.filled(RANGE);
    workspaceBytes =
        Math.max(
            Math.max(
                new BnActFwdWorkspaceBytes(device.library())
                    .n(size.n())
                    .hw(size.hw())
                    .c(size.c())
                    .call(),
                new BnActBwdWorkspaceBytes(device.library())
                    .n(size.n())
                    .hw(size.hw())
                    .c(size.c())
                    .call()),
            Math.max(
                new BnStatsWorkspaceBytes(device.library()).rows(size.rows()).c(size.c()).call(),
                new MinMaxWorkspaceBytes(device.library()).n(size.elements()).call()));
    workspace = operands.cleared(workspaceBytes);
    // The gradients need a mask as the forward pass leaves it: half of it set, in no order a
    // predictor could learn.
    forward(mask, 0, 0, 0, RELU, 0).launch(device.stream());
  }

  /** A kernel, ready to run. */
  public MemoryKernel kernel(Kind kind) {
    return MemoryKernel.of(kind.bytesPerElement * size.elements(), launch(kind), device);
  }

  private Launch launch(Kind kind) {
    return switch (kind) {
      case BN_RELU_STATISTICS -> forward(mask, batchMean, 0, 0, RELU, 0);
      case BN_ADD_RELU_STATISTICS -> forward(mask, batchMean, 0, residual, RELU, 0);
      case BN_RELU_QUANT -> forward(mask, 0, 0, 0, RELU, BITS);
      case BN_ADD_RELU_QUANT_ATTENTION -> forward(mask, 0, attention, residual, RELU, BITS);
      case BN_RELU -> forward(0, 0, 0, 0, RELU, 0);
      case BN_ADD_RELU_ATTENTION -> forward(0, 0, attention, residual, RELU, 0);
      case BN -> forward(0, 0, 0, 0, IDENTITY, 0);
      case BN_GRAD_STATISTICS -> backward(0, false, 0, statisticsGradient, false);
      case BN_ADD_GRAD_STATISTICS -> backward(dresidual, false, 0, statisticsGradient, false);
      case BN_GRAD_AFFINE -> backward(0, true, 0, 0, false);
      case BN_ADD_GRAD_AFFINE_ATTENTION -> backward(dresidual, true, attention, 0, false);
      case BN_GRAD_TRAINING -> backward(0, true, 0, 0, true);
      case BN_STATS ->
          new BnStatsFwd(device.library())
              .mean(batchMean)
              .variance(batchVariance)
              .x(u)
              .workspace(workspace)
              .workspaceBytes(workspaceBytes)
              .rows(size.rows())
              .c(size.c());
      case MIN_MAX ->
          new MinMaxFwd(device.library())
              .range(batchMean)
              .x(u)
              .workspace(workspace)
              .workspaceBytes(workspaceBytes)
              .n(size.elements());
      case FAKE_QUANT ->
          new FakeQuantFwd(device.library()).y(y).x(u).range(range).n(size.elements()).bits(BITS);
    };
  }

  private Launch forward(
      long maskOut, long batchMeanOut, long attentionOut, long residualIn, float slope, int bits) {
    return new BnActFwd(device.library())
        .y(y)
        .mask(maskOut)
        .batchMean(batchMeanOut)
        .batchVariance(batchMeanOut == 0 ? 0 : batchVariance)
        .attention(attentionOut)
        .u(u)
        .residual(residualIn)
        .gamma(gamma)
        .beta(beta)
        .mean(mean)
        .variance(variance)
        .range(bits > 0 ? range : 0)
        .workspace(workspace)
        .workspaceBytes(workspaceBytes)
        .n(size.n())
        .hw(size.hw())
        .c(size.c())
        .epsilon(EPSILON)
        .slope(slope)
        .ceiling(Float.POSITIVE_INFINITY)
        .bits(bits)
        .inRange(0);
  }

  private Launch backward(
      long dresidualOut,
      boolean affine,
      long attentionGradient,
      long statistics,
      boolean training) {
    return new BnActBwd(device.library())
        .du(y)
        .dresidual(dresidualOut)
        .dgamma(affine ? batchMean : 0)
        .dbeta(affine ? batchVariance : 0)
        .dy(dy)
        .mask(mask)
        .u(u)
        .gamma(gamma)
        .beta(beta)
        .mean(mean)
        .variance(variance)
        .attentionGrad(attentionGradient)
        .statGrad(statistics)
        .batchMean(statistics == 0 ? 0 : batchMean)
        .workspace(workspace)
        .workspaceBytes(workspaceBytes)
        .n(size.n())
        .hw(size.hw())
        .c(size.c())
        .epsilon(EPSILON)
        .slope(RELU)
        .training(training ? 1 : 0);
  }
}
