package org.hast4j.bench;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.hast4j.kernel.ConvolutionDirection;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The project's convolutions beside oneDNN's, on every layer of ResNet-20, in every direction. Each
 * fork first checks that what it is about to measure computes the same.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 3, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 3, time = 500, timeUnit = TimeUnit.MILLISECONDS)
@Measurement(iterations = 5, time = 500, timeUnit = TimeUnit.MILLISECONDS)
public class ConvolutionPeers {
  // Of the largest result. Weight gradients are sums over 65536 pixels, and the own 3x3 kernels are
  // Winograd's.
  private static final double TOLERANCE = 1e-4;

  /** Whose convolution. */
  public enum Library {
    OWN,
    ONEDNN
  }

  @Param public ResNet20Convolution shape;

  @Param public ConvolutionDirection direction;

  @Param({"1", "2"})
  public int threads;

  @Param public Library library;

  private Convolution convolution;

  @Setup(Level.Trial)
  public void open() {
    Random random = new Random(1);
    Convolution.Operands operands =
        new Convolution.Operands(
            values(random, shape.inputElements(ResNet20Convolution.BATCH)),
            values(random, shape.weightElements()),
            values(random, shape.outputElements(ResNet20Convolution.BATCH)));
    convolution =
        switch (library) {
          case OWN -> new OwnConvolution(shape, direction, threads, true, operands);
          case ONEDNN -> new OneDnnConvolution(shape, direction, threads, operands);
        };
    System.out.println("# " + convolution.implementation());
    if (library == Library.ONEDNN) {
      convolution.run();
      try (Convolution own = new OwnConvolution(shape, direction, 1, false, operands)) {
        own.run();
        requireEqual(own.result(), convolution.result());
      }
    }
  }

  private static float[] values(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = random.nextFloat() - .5f;
    }
    return values;
  }

  private static void requireEqual(float[] own, float[] peer) {
    double largest = 0;
    double difference = 0;
    for (int i = 0; i < own.length; i++) {
      largest = Math.max(largest, Math.abs(own[i]));
      difference = Math.max(difference, Math.abs(own[i] - peer[i]));
    }
    if (!(difference <= TOLERANCE * largest)) {
      throw new IllegalStateException(
          "the libraries disagree by %g, the largest result is %g".formatted(difference, largest));
    }
  }

  @Benchmark
  public void convolution() {
    convolution.run();
  }

  @TearDown(Level.Trial)
  public void close() {
    convolution.close();
  }
}
