package org.hast4j.bench;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.concurrent.TimeUnit;
import org.hast4j.device.driver.ConvolutionChoice;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.hast.HastLoops;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.Precision;
import org.hast4j.model.Model;
import org.hast4j.zoo.CifarResNet;
import org.openjdk.jmh.annotations.AuxCounters;
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
 * One iteration of each of the two loops a run spends its time in, on ResNet-20 with shortcut B:
 * synthesis of a batch of 256 and fine-tuning at W4A4 of a batch of 64.
 *
 * <p>{@code heapBytes} is what the iterations of one measurement allocated on the Java heap, all of
 * them together, and must read 0. The harness's own {@code gc.alloc.rate.norm} also counts what the
 * harness allocates between measurements, a few kilobytes, and divides that by the number of
 * iterations.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Fork(value = 3, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
@Warmup(iterations = 2, time = 10)
@Measurement(iterations = 5, time = 10)
public class HastIteration {
  private static final int DEPTH = 20;
  private static final int SYNTHESIS_BATCH = 256;
  private static final int TUNING_BATCH = 64;
  // Method handles allocate until the JDK has specialised the last of them, some 200 calls on: tiny
  // batches get there
  // in seconds, full ones would take a minute.
  private static final int SETTLING_ITERATIONS = 300;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  /** What a measurement counts beside time. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.EVENTS)
  public static class Counters {
    /** Heap bytes allocated by all iterations of a measurement, to the byte. */
    public long heapBytes;

    public long iterations;
  }

  @Param("2")
  public int threads;

  private OpenDevice device;
  private HastLoops loops;
  private HastLoops.Loop synthesis;
  private HastLoops.Loop fineTuning;

  @Setup(Level.Trial)
  public void open() {
    device =
        OpenDevice.open(
            Backend.CPU,
            new OpenDevice.Options(
                threads, true, Precision.FP32, Launching.SINGLE, ConvolutionChoice.OWN));
    Model network = CifarResNet.of(DEPTH, 16, 10, CifarResNet.Shortcut.B);
    try (HastLoops tiny = new HastLoops(device, network);
        HastLoops.Loop tinySynthesis = tiny.synthesis(4);
        HastLoops.Loop tinyTuning = tiny.fineTuning(2)) {
      for (int i = 0; i < SETTLING_ITERATIONS; i++) {
        tinySynthesis.iterate();
        tinyTuning.iterate();
      }
    }
    loops = new HastLoops(device, network);
    synthesis = loops.synthesis(SYNTHESIS_BATCH);
    fineTuning = loops.fineTuning(TUNING_BATCH);
  }

  @Benchmark
  public void synthesis256(Counters counters) {
    long before = THREADS.getCurrentThreadAllocatedBytes();
    synthesis.iterate();
    counters.heapBytes += THREADS.getCurrentThreadAllocatedBytes() - before;
    counters.iterations++;
  }

  @Benchmark
  public void fineTuning64(Counters counters) {
    long before = THREADS.getCurrentThreadAllocatedBytes();
    fineTuning.iterate();
    counters.heapBytes += THREADS.getCurrentThreadAllocatedBytes() - before;
    counters.iterations++;
  }

  @TearDown(Level.Trial)
  public void close() {
    fineTuning.close();
    synthesis.close();
    loops.close();
    device.close();
  }
}
