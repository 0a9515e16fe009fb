package org.hast4j.device.driver;

import java.lang.foreign.MemorySegment;
import org.hast4j.kernel.abi.FillFwd;
import org.hast4j.kernel.abi.MemoryDownload;
import org.hast4j.kernel.abi.MemoryUpload;

/**
 * A range of device memory: an address, a size and the device that owns it. It is never a {@link
 * MemorySegment}, because a Java read of GPU memory would fault; host arrays go in and out by
 * copies.
 */
public final class Buffer implements AutoCloseable {
  private final OpenDevice device;
  private final String purpose;
  private final long bytes;
  private final long allocated;
  private final Runnable beforeClosing;
  private long address;

  /**
   * @param bytes asked for
   * @param allocated at least as many, whole floats
   * @param beforeClosing throws where the buffer must stay
   */
  Buffer(
      OpenDevice device,
      String purpose,
      long address,
      long bytes,
      long allocated,
      Runnable beforeClosing) {
    this.device = device;
    this.purpose = purpose;
    this.address = address;
    this.bytes = bytes;
    this.allocated = allocated;
    this.beforeClosing = beforeClosing;
  }

  /**
   * The device address of a byte range inside this buffer.
   *
   * @throws IndexOutOfBoundsException if the range leaves the buffer
   * @throws IllegalStateException if the buffer is closed
   */
  public long address(long offset, long length) {
    if (offset < 0 || length < 0 || offset > bytes - length) {
      throw new IndexOutOfBoundsException(
          "bytes [%d, %d) of buffer '%s', which has %d"
              .formatted(offset, offset + length, purpose, bytes));
    }
    if (address == 0) {
      throw new IllegalStateException("buffer '" + purpose + "' is closed");
    }
    return address + offset;
  }

  /** Bytes that were asked for; the ledger counts what was allocated. */
  public long bytes() {
    return bytes;
  }

  /** Copies a host array to a byte offset. */
  public void upload(long offset, float[] values) {
    upload(offset, MemorySegment.ofArray(values));
  }

  /** Copies a host array to a byte offset. */
  public void upload(long offset, int[] values) {
    upload(offset, MemorySegment.ofArray(values));
  }

  /** Copies a host array to a byte offset. */
  public void upload(long offset, long[] values) {
    upload(offset, MemorySegment.ofArray(values));
  }

  /** Fills a host array from a byte offset, after everything launched before. */
  public void download(long offset, float[] values) {
    download(offset, MemorySegment.ofArray(values));
  }

  /** Fills a host array from a byte offset, after everything launched before. */
  public void download(long offset, int[] values) {
    download(offset, MemorySegment.ofArray(values));
  }

  /** Fills a host array from a byte offset, after everything launched before. */
  public void download(long offset, long[] values) {
    download(offset, MemorySegment.ofArray(values));
  }

  // A copy keeps a collector waiting, so what was launched before it is waited for apart.

  private void upload(long offset, MemorySegment host) {
    device.synchronize();
    new MemoryUpload(device.library())
        .device(address(offset, host.byteSize()))
        .host(host)
        .bytes(host.byteSize())
        .launch(device.stream());
  }

  private void download(long offset, MemorySegment host) {
    device.synchronize();
    new MemoryDownload(device.library())
        .host(host)
        .device(address(offset, host.byteSize()))
        .bytes(host.byteSize())
        .launch(device.stream());
  }

  /** Sets all of it to zero bytes. */
  public void clear() {
    device.checkOwner();
    new FillFwd(device.library())
        .y(address(0, bytes))
        .n(allocated / Float.BYTES)
        .value(0)
        .launch(device.stream());
  }

  /**
   * Gives the memory back.
   *
   * @throws IllegalStateException if somebody still relies on its address, as a program does
   */
  @Override
  public void close() {
    if (address != 0) {
      device.checkThread();
      beforeClosing.run();
      device.release(purpose, address, allocated);
      address = 0;
    }
  }
}
