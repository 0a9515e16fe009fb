package org.hast4j.bench;

import org.hast4j.device.driver.Buffer;
import org.hast4j.device.driver.ConvolutionChoice;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.Precision;
import org.hast4j.kernel.abi.MemoryCopy;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A memory-bound kernel beside a plain copy that moves as many bytes, measured by turns in the same
 * fork: whatever slows the machine down slows both.
 */
@State(Scope.Benchmark)
public abstract class Roofline {
  private static final long COPY_NANOSECONDS = 100_000_000;

  /** What the report divides by; events, so that the harness hands them on as they are. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.EVENTS)
  public static class Traffic {
    /** Bytes one run must move: every operand once. */
    public double bytes;

    /** Gigabytes per second of the copy, read and written bytes counted. */
    public double copyGigabytesPerSecond;
  }

  @Param({"1", "2"})
  public int threads;

  private OpenDevice device;
  private DeviceOperands operands;
  private MemoryKernel kernel;
  private Buffer source;
  private Buffer target;
  private double copyRate;

  /** Allocates and fills the operands of the kernel to measure. */
  protected abstract MemoryKernel prepare(DeviceOperands operands);

  @Setup(Level.Trial)
  public void open() {
    device =
        OpenDevice.open(
            Backend.CPU,
            new OpenDevice.Options(
                threads, true, Precision.FP32, Launching.SINGLE, ConvolutionChoice.OWN));
    operands = new DeviceOperands(device);
    kernel = prepare(operands);
    source = device.allocate("copy source", kernel.bytes() / 2);
    target = device.allocate("copy target", kernel.bytes() / 2);
    source.clear();
    target.clear();
  }

  @Setup(Level.Iteration)
  public void measureCopy() {
    long from = source.address(0, source.bytes());
    long to = target.address(0, target.bytes());
    // The mean, as for the kernels: a disturbance counts for both.
    long start = System.nanoTime();
    long elapsed;
    long copies = 0;
    do {
      new MemoryCopy(device.library())
          .destination(to)
          .source(from)
          .bytes(source.bytes())
          .launch(device.stream());
      copies++;
      elapsed = System.nanoTime() - start;
    } while (elapsed < COPY_NANOSECONDS);
    copyRate = 2.0 * source.bytes() * copies / elapsed;
  }

  /** One run, counted. */
  protected final void run(Traffic traffic) {
    kernel.launch().run();
    traffic.bytes = kernel.bytes();
    traffic.copyGigabytesPerSecond = copyRate;
  }

  @TearDown(Level.Trial)
  public void close() {
    target.close();
    source.close();
    operands.close();
    device.close();
  }
}
