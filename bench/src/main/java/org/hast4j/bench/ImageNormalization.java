package org.hast4j.bench;

import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.hast4j.data.ImageSet;
import org.hast4j.model.Normalization;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** One batch of 256 CIFAR-sized images, from bytes to what a network takes. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Fork(1)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
public class ImageNormalization {
  private static final int BATCH = 256;
  private static final int SIDE = 32;
  private static final int CHANNELS = 3;

  private ImageSet images;
  private float[] out;

  @Setup
  public void randomImages() {
    byte[] pixels = new byte[BATCH * CHANNELS * SIDE * SIDE];
    new Random(1).nextBytes(pixels);
    images = new ImageSet(10, CHANNELS, SIDE, SIDE, new int[BATCH], pixels);
    out = new float[pixels.length];
  }

  @Benchmark
  public float[] normalize() {
    images.normalize(0, BATCH, Normalization.CIFAR10, out);
    return out;
  }
}
