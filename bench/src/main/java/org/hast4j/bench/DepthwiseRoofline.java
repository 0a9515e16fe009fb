package org.hast4j.bench;

import java.util.concurrent.TimeUnit;
import org.hast4j.kernel.ConvolutionDirection;
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

/** The depthwise convolutions of MobileNetV2 in the three directions of training. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 3, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 2, time = 300, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 300, timeUnit = TimeUnit.MILLISECONDS)
public class DepthwiseRoofline extends Roofline {
  @Param("16")
  public int images;

  @Param public ConvolutionDirection kernel;

  @Param public DepthwiseLayer shape;

  @Override
  protected MemoryKernel prepare(DeviceOperands operands) {
    return new DepthwiseKernels(operands, shape, images).kernel(kernel);
  }

  @Benchmark
  public void kernel(Traffic traffic) {
    run(traffic);
  }
}
