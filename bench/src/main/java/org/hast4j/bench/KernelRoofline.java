package org.hast4j.bench;

import java.util.concurrent.TimeUnit;
import org.hast4j.kernel.Kernels;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The memory-bound kernels of the loops on ResNet-20's activations, in the variants the loops use.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 2, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 300, timeUnit = TimeUnit.MILLISECONDS)
public class KernelRoofline extends Roofline {
  private static final float EPSILON = 1e-5f;
  private static final float RELU = 0;
  private static final float IDENTITY = 1;
  private static final int BITS = 4;
  private static final float[] RANGE = {0, 4};

  /**
   * A kernel in one variant and the bytes it must move per element, operands smaller than the
   * activations aside.
   */
  public enum Kernel {
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

    Kernel(long bytesPerElement) {
      this.bytesPerElement = bytesPerElement;
    }
  }

  @Param public Kernel kernel;

  @Param public FeatureMap shape;

  private long u;
  private long addend;
  private long dy;
  private long y;
  private long daddend;
  private long mask;
  private long mean;
  private long variance;
  private long gamma;
  private long beta;
  private long batchMean;
  private long batchVariance;
  private long attention;
  private long statisticsGradient;
  private long range;
  private long workspace;
  private long workspaceBytes;

  @Override
  protected void prepare() {
    Kernels kernels = device.kernels();
    u = normal(shape.elements());
    addend = normal(shape.elements());
    dy = normal(shape.elements());
    y = constant(shape.elements(), 0);
    daddend = constant(shape.elements(), 0);
    mask = cleared(shape.elements());
    mean = constant(shape.c, 0);
    variance = constant(shape.c, 1);
    gamma = constant(shape.c, 1);
    beta = constant(shape.c, 0);
    batchMean = constant(shape.c, 0);
    batchVariance = constant(shape.c, 1);
    attention = constant(shape.n * shape.c, 1e-3f);
    statisticsGradient = constant(2 * shape.c, 1e-3f);
    range = filled(RANGE);
    workspaceBytes =
        Math.max(
            Math.max(
                kernels.bnActFwdWorkspaceBytes(shape.n, shape.hw, shape.c),
                kernels.bnActBwdWorkspaceBytes(shape.n, shape.hw, shape.c)),
            Math.max(
                kernels.bnStatsWorkspaceBytes(shape.rows(), shape.c),
                kernels.minMaxWorkspaceBytes(shape.elements())));
    workspace = cleared(workspaceBytes);
    // The gradients need a mask as the forward pass leaves it: half of it set, in no order a
    // predictor could learn.
    forward(mask, 0, 0, 0, RELU, 0);
  }

  @Override
  protected long bytes() {
    return kernel.bytesPerElement * shape.elements();
  }

  @Override
  protected void launch() {
    Kernels kernels = device.kernels();
    long stream = device.stream();
    switch (kernel) {
      case BN_RELU_STATISTICS -> forward(mask, batchMean, 0, 0, RELU, 0);
      case BN_ADD_RELU_STATISTICS -> forward(mask, batchMean, 0, addend, RELU, 0);
      case BN_RELU_QUANT -> forward(mask, 0, 0, 0, RELU, BITS);
      case BN_ADD_RELU_QUANT_ATTENTION -> forward(mask, 0, attention, addend, RELU, BITS);
      case BN_RELU -> forward(0, 0, 0, 0, RELU, 0);
      case BN_ADD_RELU_ATTENTION -> forward(0, 0, attention, addend, RELU, 0);
      case BN -> forward(0, 0, 0, 0, IDENTITY, 0);
      case BN_GRAD_STATISTICS -> backward(0, false, 0, statisticsGradient, false);
      case BN_ADD_GRAD_STATISTICS -> backward(daddend, false, 0, statisticsGradient, false);
      case BN_GRAD_AFFINE -> backward(0, true, 0, 0, false);
      case BN_ADD_GRAD_AFFINE_ATTENTION -> backward(daddend, true, attention, 0, false);
      case BN_GRAD_TRAINING -> backward(0, true, 0, 0, true);
      case BN_STATS ->
          kernels.bnStatsFwd(
              batchMean,
              batchVariance,
              u,
              workspace,
              workspaceBytes,
              shape.rows(),
              shape.c,
              stream);
      case MIN_MAX ->
          kernels.minMaxFwd(batchMean, u, workspace, workspaceBytes, shape.elements(), stream);
      case FAKE_QUANT -> kernels.fakeQuantFwd(y, u, range, shape.elements(), BITS, stream);
    }
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
            shape.n,
            shape.hw,
            shape.c,
            EPSILON,
            slope,
            bits,
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
            shape.n,
            shape.hw,
            shape.c,
            EPSILON,
            RELU,
            training ? 1 : 0,
            device.stream());
  }

  @Benchmark
  public void kernel(Traffic traffic) {
    run(traffic);
  }
}
