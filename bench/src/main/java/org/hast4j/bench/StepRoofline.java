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
 * The memory-bound kernels that run once per iteration of a loop: optimiser steps, sampling,
 * promotion.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 2, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 300, timeUnit = TimeUnit.MILLISECONDS)
public class StepRoofline extends Roofline {
  private static final long SIDE = 32;
  private static final long CHANNELS = 3;
  private static final long IMAGE = SIDE * SIDE * CHANNELS;
  // Trained parameters of ResNet-20 with shortcut B.
  private static final long PARAMETERS = 275_098;
  private static final long POOL = 2560;
  private static final int BOX_INTS = 6;
  private static final float LEARNING_RATE = 1e-5f;

  /** A kernel, the elements it works on and the bytes it must move per element. */
  public enum Kernel {
    /** Synthesis: Adam on the pixels of a batch of 256. */
    ADAM_PIXELS(256 * IMAGE, 28),
    /** Fine-tuning: SGD on the parameters. */
    SGD_PARAMETERS(PARAMETERS, 20),
    /** Fine-tuning with Adam. */
    ADAM_PARAMETERS(PARAMETERS, 28),
    /** Fine-tuning: a batch of 64 random crops of the pool, resized. */
    CROP_FLIP_64(64 * IMAGE, 8),
    /** The same of 256. */
    CROP_FLIP_256(256 * IMAGE, 8),
    /** Fine-tuning: the batch made harder. */
    SIGN_PERTURB_64(64 * IMAGE, 12);

    final long elements;
    final long bytesPerElement;

    Kernel(long elements, long bytesPerElement) {
      this.elements = elements;
      this.bytesPerElement = bytesPerElement;
    }
  }

  @Param public Kernel kernel;

  private long p;
  private long m;
  private long v;
  private long g;
  private long learningRate;
  private long step;
  private long pool;
  private long boxes;

  @Override
  protected void prepare() {
    p = normal(kernel.elements);
    m = constant(kernel.elements, 0);
    v = constant(kernel.elements, 0);
    g = normal(kernel.elements);
    learningRate = filled(new float[] {LEARNING_RATE});
    step = filled(new long[] {1});
    long n = kernel.elements / IMAGE;
    if (kernel == Kernel.CROP_FLIP_64 || kernel == Kernel.CROP_FLIP_256) {
      pool = normal(POOL * IMAGE);
      boxes = cleared(n * BOX_INTS * Integer.BYTES);
      device
          .kernels()
          .cropBoxesFwd(
              boxes,
              filled(new long[] {1, 0}),
              0,
              n,
              POOL,
              0,
              SIDE,
              SIDE,
              .5f,
              1,
              .75f,
              4f / 3,
              0,
              device.stream());
    }
  }

  @Override
  protected long bytes() {
    return kernel.bytesPerElement * kernel.elements;
  }

  @Override
  protected void launch() {
    Kernels kernels = device.kernels();
    long stream = device.stream();
    long n = kernel.elements;
    switch (kernel) {
      case ADAM_PIXELS, ADAM_PARAMETERS ->
          kernels.adamStep(p, m, v, g, learningRate, step, n, .9f, .999f, 1e-8f, stream);
      case SGD_PARAMETERS -> kernels.sgdStep(p, m, g, learningRate, n, .9f, 1e-4f, 1, stream);
      case CROP_FLIP_64, CROP_FLIP_256 ->
          kernels.cropFlipFwd(
              p, pool, boxes, n / IMAGE, POOL, SIDE, SIDE, CHANNELS, SIDE, SIDE, stream);
      case SIGN_PERTURB_64 -> kernels.signPerturbFwd(m, p, g, n, .01f, stream);
    }
  }

  @Benchmark
  public void kernel(Traffic traffic) {
    run(traffic);
  }
}
