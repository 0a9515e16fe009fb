package org.hast4j.device;

import org.hast4j.kernel.Backend;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Kernels;

/**
 * One device of one backend with its stream and its memory. It belongs to the thread that opened
 * it. Closing it closes the library; every buffer should be closed before.
 */
public final class Device implements AutoCloseable {
  // The ABI's alignment and the planner's: whole buffers are multiples of it, so clearing one never
  // misses a tail.
  private static final long ALIGNMENT = 256;

  private final KernelLibrary library;
  private final int ordinal;
  private final int threads;
  private final long stream;
  private final MemoryLedger ledger = new MemoryLedger();
  private final Thread owner = Thread.currentThread();
  private boolean closed;

  private Device(KernelLibrary library, int ordinal, int threads, long stream) {
    this.library = library;
    this.ordinal = ordinal;
    this.threads = threads;
    this.stream = stream;
  }

  /**
   * Opens the first device of a backend.
   *
   * @param threads worker threads of the CPU backend, at least 1; no result depends on it
   * @throws IllegalStateException if the backend cannot be used; {@link KernelLibrary#probe} gives
   *     the reasons as data
   */
  public static Device open(Backend backend, int threads) {
    return open(backend, threads, false);
  }

  /**
   * Opens the first device of a backend.
   *
   * @param pinned whether the calling thread and the workers each keep to a processor of their own:
   *     faster for a process that does nothing else, unfriendly inside one that does
   */
  public static Device open(Backend backend, int threads, boolean pinned) {
    KernelLibrary library = KernelLibrary.load(backend);
    try {
      return new Device(library, 0, threads, library.kernels().streamCreate(0, threads, pinned));
    } catch (RuntimeException e) {
      library.close();
      throw e;
    }
  }

  /** The CPU with as many threads as it has cores. */
  public static Device cpu() {
    return open(Backend.CPU, Runtime.getRuntime().availableProcessors());
  }

  /**
   * Allocates device memory.
   *
   * @param purpose what it is for, in the words of the memory report
   * @throws DeviceMemoryException if there is not enough
   */
  public Buffer allocate(String purpose, long bytes) {
    checkOwner();
    long size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    long address;
    try {
      address = kernels().memoryAllocate(size, ordinal);
    } catch (KernelException e) {
      if (!e.isOutOfMemory()) {
        throw e;
      }
      Kernels.DeviceMemory memory = kernels().deviceMemory(ordinal);
      throw new DeviceMemoryException(
          "%.1f MiB for %s do not fit: %.1f MiB of %.1f MiB free, %s; use a smaller batch or free memory"
              .formatted(
                  size / 1048576.0,
                  purpose,
                  memory.free() / 1048576.0,
                  memory.total() / 1048576.0,
                  ledger),
          e);
    }
    ledger.add(purpose, size);
    return new Buffer(this, purpose, address, bytes, size);
  }

  void release(String purpose, long address, long bytes) {
    checkThread();
    if (!closed) {
      kernels().memoryFree(address, ordinal);
    }
    ledger.remove(purpose, bytes);
  }

  /** Fails unless called by the thread that opened the device, and before it is closed. */
  public void checkOwner() {
    checkThread();
    if (closed) {
      throw new IllegalStateException("the device is closed");
    }
  }

  private void checkThread() {
    if (Thread.currentThread() != owner) {
      throw new IllegalStateException(
          "the device belongs to "
              + owner
              + ", not to "
              + Thread.currentThread()
              + ": open one per thread");
    }
  }

  /** Waits for everything launched so far. */
  public void synchronize() {
    checkOwner();
    kernels().streamSynchronize(stream);
  }

  public Kernels kernels() {
    return library.kernels();
  }

  public Backend backend() {
    return library.backend();
  }

  /** Address of the device's stream, for kernel calls. */
  public long stream() {
    return stream;
  }

  public int threads() {
    return threads;
  }

  public MemoryLedger ledger() {
    return ledger;
  }

  /** One line for people. */
  public String description() {
    return kernels().deviceDescribe(ordinal);
  }

  /**
   * Closes the device for good.
   *
   * @throws IllegalStateException if memory is still in use, which is lost then; or if another
   *     thread opened the device
   */
  @Override
  public void close() {
    checkThread();
    if (closed) {
      return;
    }
    closed = true;
    try {
      kernels().streamDestroy(stream);
    } finally {
      library.close();
    }
    if (ledger.bytes() != 0) {
      throw new IllegalStateException(
          "device memory still in use, close it before the device: " + ledger);
    }
  }
}
