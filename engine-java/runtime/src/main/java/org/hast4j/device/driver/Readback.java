package org.hast4j.device.driver;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.hast4j.kernel.abi.EventQuery;
import org.hast4j.kernel.abi.HostAllocate;
import org.hast4j.kernel.abi.HostFree;
import org.hast4j.kernel.abi.MemoryDownloadAsync;

/**
 * A few floats of device memory that the host reads now and then without holding up the device: a
 * copy is started behind what has been launched, the host goes on launching, and takes the values
 * when it wants them. One copy is under way at a time.
 */
public final class Readback implements AutoCloseable {
  private static final long POLL_NANOS = 20_000;

  /**
   * Where values come from.
   *
   * @param offset bytes
   * @param count floats
   */
  public record Source(Buffer buffer, long offset, int count) {
    private long bytes() {
      return (long) count * Float.BYTES;
    }
  }

  private final OpenDevice device;
  private final List<Source> sources;
  private final int count;
  private long host;
  private long event;
  private boolean started;

  public Readback(OpenDevice device, List<Source> sources) {
    this.device = device;
    this.sources = List.copyOf(sources);
    count = sources.stream().mapToInt(Source::count).sum();
    event = device.createEvent();
    try {
      host = new HostAllocate(device.library()).bytes((long) count * Float.BYTES).call().address();
    } catch (RuntimeException e) {
      device.destroyEvent(event);
      throw e;
    }
  }

  /** Starts copying the values as they are after everything launched so far. */
  public void start() {
    device.checkOwner();
    long to = host;
    for (Source source : sources) {
      new MemoryDownloadAsync(device.library())
          .host(to)
          .device(source.buffer().address(source.offset(), source.bytes()))
          .bytes(source.bytes())
          .launch(device.stream());
      to += source.bytes();
    }
    device.record(event, device.stream());
    started = true;
  }

  /** The values of all sources, in order, of the copy under way; starts one if there is none. */
  public float[] values() {
    if (!started) {
      start();
    }
    while (new EventQuery(device.library()).event(event).call().done() == 0) {
      // The device may be many iterations behind, and each question leaves garbage.
      LockSupport.parkNanos(POLL_NANOS);
    }
    started = false;
    return MemorySegment.ofAddress(host)
        .reinterpret((long) count * Float.BYTES)
        .toArray(ValueLayout.JAVA_FLOAT);
  }

  @Override
  public void close() {
    if (host != 0) {
      try {
        if (started) {
          values();
        }
      } finally {
        new HostFree(device.library()).address(host).call();
        device.destroyEvent(event);
        host = 0;
      }
    }
  }
}
