package org.hast4j.bench;

import java.util.concurrent.TimeUnit;
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
@Fork(value = 3, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 2, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 300, timeUnit = TimeUnit.MILLISECONDS)
public class StepRoofline extends Roofline {
  // Trained parameters of ResNet-20 with shortcut B.
  private static final long PARAMETERS = 275_098;
  private static final long POOL = 2560;

  /** A kernel and the elements it works on. */
  public enum Kernel {
    /** Synthesis: Adam on the pixels of a batch of 256. */
    ADAM_PIXELS(StepKernels.Kind.ADAM, 256 * StepKernels.IMAGE),
    /** Fine-tuning: SGD on the parameters. */
    SGD_PARAMETERS(StepKernels.Kind.SGD, PARAMETERS),
    /** Fine-tuning with Adam. */
    ADAM_PARAMETERS(StepKernels.Kind.ADAM, PARAMETERS),
    /** Fine-tuning: a batch of 64 random crops of the pool, resized. */
    CROP_FLIP_64(StepKernels.Kind.CROP_FLIP, 64 * StepKernels.IMAGE),
    /** The same of 256. */
    CROP_FLIP_256(StepKernels.Kind.CROP_FLIP, 256 * StepKernels.IMAGE),
    /** Fine-tuning: the batch made harder. */
    SIGN_PERTURB_64(StepKernels.Kind.SIGN_PERTURB, 64 * StepKernels.IMAGE);

    final StepKernels.Kind kind;
    final long elements;

    Kernel(StepKernels.Kind kind, long elements) {
      this.kind = kind;
      this.elements = elements;
    }
  }

  @Param public Kernel kernel;

  @Override
  protected MemoryKernel prepare(DeviceOperands operands) {
    return new StepKernels(operands, kernel.elements, POOL).kernel(kernel.kind);
  }

  @Benchmark
  public void kernel(Traffic traffic) {
    run(traffic);
  }
}
