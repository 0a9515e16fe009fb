package org.hast4j.bench;

import org.hast4j.device.Device;
import org.hast4j.kernel.Kernels;

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
    /** Synthesis, end of a residual unit: also reads the addend. */
    BN_ADD_RELU_STATISTICS(13),
    /** Fine-tuning, student: u to quantised y and mask. */
    BN_RELU_QUANT(9),
    /**
     * Fine-tuning, student, end of a residual unit: also reads the addend and gives the attention.
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
    /** Synthesis, end of a residual unit: also gives the addend's gradient. */
    BN_ADD_GRAD_STATISTICS(17),
    /** Fine-tuning: dy, mask, u to du, dgamma, dbeta. */
    BN_GRAD_AFFINE(13),
    /** Fine-tuning, end of a residual unit: also the attention's gradient in, the addend's out. */
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

  private final Device device;
  private final Activations size;
  private final long u;
  private final long addend;
  private final long dy;
  private final long y;
  private final long daddend;
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
    Kernels kernels = device.kernels();
    u = operands.normal(size.elements());
    addend = operands.normal(size.elements());
    dy = operands.normal(size.elements());
    y = operands.constant(size.elements(), 0);
    daddend = operands.constant(size.elements(), 0);
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
                kernels.bnActFwdWorkspaceBytes(size.n(), size.hw(), size.c()),
                kernels.bnActBwdWorkspaceBytes(size.n(), size.hw(), size.c())),
            Math.max(
                kernels.bnStatsWorkspaceBytes(size.rows(), size.c()),
                kernels.minMaxWorkspaceBytes(size.elements())));
    workspace = operands.cleared(workspaceBytes);
    // The gradients need a mask as the forward pass leaves it: half of it set, in no order a
    // predictor could learn.
    forward(mask, 0, 0, 0, RELU, 0);
  }

  /** A kernel, ready to run. */
  public MemoryKernel kernel(Kind kind) {
    return new MemoryKernel(kind.bytesPerElement * size.elements(), launch(kind));
  }

  private Runnable launch(Kind kind) {
    Kernels kernels = device.kernels();
    long stream = device.stream();
    return switch (kind) {
      case BN_RELU_STATISTICS -> () -> forward(mask, batchMean, 0, 0, RELU, 0);
      case BN_ADD_RELU_STATISTICS -> () -> forward(mask, batchMean, 0, addend, RELU, 0);
      case BN_RELU_QUANT -> () -> forward(mask, 0, 0, 0, RELU, BITS);
      case BN_ADD_RELU_QUANT_ATTENTION -> () -> forward(mask, 0, attention, addend, RELU, BITS);
      case BN_RELU -> () -> forward(0, 0, 0, 0, RELU, 0);
      case BN_ADD_RELU_ATTENTION -> () -> forward(0, 0, attention, addend, RELU, 0);
      case BN -> () -> forward(0, 0, 0, 0, IDENTITY, 0);
      case BN_GRAD_STATISTICS -> () -> backward(0, false, 0, statisticsGradient, false);
      case BN_ADD_GRAD_STATISTICS -> () -> backward(daddend, false, 0, statisticsGradient, false);
      case BN_GRAD_AFFINE -> () -> backward(0, true, 0, 0, false);
      case BN_ADD_GRAD_AFFINE_ATTENTION -> () -> backward(daddend, true, attention, 0, false);
      case BN_GRAD_TRAINING -> () -> backward(0, true, 0, 0, true);
      case BN_STATS ->
          () ->
              kernels.bnStatsFwd(
                  batchMean,
                  batchVariance,
                  u,
                  workspace,
                  workspaceBytes,
                  size.rows(),
                  size.c(),
                  stream);
      case MIN_MAX ->
          () -> kernels.minMaxFwd(batchMean, u, workspace, workspaceBytes, size.elements(), stream);
      case FAKE_QUANT -> () -> kernels.fakeQuantFwd(y, u, range, size.elements(), BITS, stream);
    };
  }

  private void forward(
      long maskOut, long batchMeanOut, long attentionOut, long addendIn, float slope, int bits) {
    device
        .kernels()
        .bnActFwd(
            y,
            maskOut,
            batchMeanOut,
            batchMeanOut == 0 ? 0 : batchVariance,
            attentionOut,
            u,
            addendIn,
            gamma,
            beta,
            mean,
            variance,
            bits > 0 ? range : 0,
            workspace,
            workspaceBytes,
            size.n(),
            size.hw(),
            size.c(),
            EPSILON,
            slope,
            Float.POSITIVE_INFINITY,
            bits,
            0,
            device.stream());
  }

  private void backward(
      long daddendOut, boolean affine, long attentionGradient, long statistics, boolean training) {
    device
        .kernels()
        .bnActBwd(
            y,
            daddendOut,
            affine ? batchMean : 0,
            affine ? batchVariance : 0,
            dy,
            mask,
            u,
            gamma,
            beta,
            mean,
            variance,
            attentionGradient,
            statistics,
            statistics == 0 ? 0 : batchMean,
            workspace,
            workspaceBytes,
            size.n(),
            size.hw(),
            size.c(),
            EPSILON,
            RELU,
            training ? 1 : 0,
            device.stream());
  }
}
