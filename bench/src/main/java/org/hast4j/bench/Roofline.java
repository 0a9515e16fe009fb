package org.hast4j.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.hast4j.device.Buffer;
import org.hast4j.device.ConvolutionChoice;
import org.hast4j.device.Device;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.Precision;
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

  protected Device device;
  private final Random random = new Random(1);
  private final List<Buffer> buffers = new ArrayList<>();
  private Buffer source;
  private Buffer target;
  private double copyRate;

  /** Allocates and fills the operands. */
  protected abstract void prepare();

  /** Bytes one run must move. */
  protected abstract long bytes();

  protected abstract void launch();

  @Setup(Level.Trial)
  public void open() {
    device =
        Device.open(
            Backend.CPU,
            new Device.Options(threads, true, Precision.FP32, false, ConvolutionChoice.OWN));
    prepare();
    source = device.allocate("copy source", bytes() / 2);
    target = device.allocate("copy target", bytes() / 2);
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
      device.kernels().memoryCopy(to, from, source.bytes(), device.stream());
      copies++;
      elapsed = System.nanoTime() - start;
    } while (elapsed < COPY_NANOSECONDS);
    copyRate = 2.0 * source.bytes() * copies / elapsed;
  }

  /** One run, counted. */
  protected final void run(Traffic traffic) {
    launch();
    traffic.bytes = bytes();
    traffic.copyGigabytesPerSecond = copyRate;
  }

  /** The address of new memory with all floats the same. */
  protected final long constant(long elements, float value) {
    float[] values = new float[Math.toIntExact(elements)];
    Arrays.fill(values, value);
    return filled(values);
  }

  /** The address of new memory with standard normal floats. */
  protected final long normal(long elements) {
    float[] values = new float[Math.toIntExact(elements)];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return filled(values);
  }

  protected final long filled(float[] values) {
    Buffer buffer = buffer((long) values.length * Float.BYTES);
    buffer.upload(0, values);
    return buffer.address(0, buffer.bytes());
  }

  protected final long filled(long[] values) {
    Buffer buffer = buffer((long) values.length * Long.BYTES);
    buffer.upload(0, values);
    return buffer.address(0, buffer.bytes());
  }

  /** The address of new memory of at least one byte, cleared. */
  protected final long cleared(long bytes) {
    Buffer buffer = buffer(Math.max(1, bytes));
    buffer.clear();
    return buffer.address(0, buffer.bytes());
  }

  private Buffer buffer(long bytes) {
    Buffer buffer = device.allocate("operands", bytes);
    buffers.add(buffer);
    return buffer;
  }

  @TearDown(Level.Trial)
  public void close() {
    target.close();
    source.close();
    buffers.reversed().forEach(Buffer::close);
    device.close();
  }
}
