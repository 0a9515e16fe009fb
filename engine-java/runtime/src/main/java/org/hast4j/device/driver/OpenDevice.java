package org.hast4j.device.driver;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.hast4j.device.Device;
import org.hast4j.device.DeviceMemoryException;
import org.hast4j.failure.RefusedException;
import org.hast4j.failure.UnavailableException;
import org.hast4j.kernel.Availability;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.KernelException;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Precision;
import org.hast4j.kernel.abi.DeviceMemory;
import org.hast4j.kernel.abi.EventCreate;
import org.hast4j.kernel.abi.EventDestroy;
import org.hast4j.kernel.abi.EventRecord;
import org.hast4j.kernel.abi.GraphDestroy;
import org.hast4j.kernel.abi.MemoryAllocate;
import org.hast4j.kernel.abi.MemoryFree;
import org.hast4j.kernel.abi.StreamCreate;
import org.hast4j.kernel.abi.StreamDestroy;
import org.hast4j.kernel.abi.StreamMath;
import org.hast4j.kernel.abi.StreamNative;
import org.hast4j.kernel.abi.StreamSynchronize;

/**
 * One device of one backend with its stream and its memory. It belongs to the thread that opened
 * it, unless it was opened for whoever holds it. Closing it closes the library; every buffer should
 * be closed before.
 */
public final class OpenDevice implements Device {
  // The ABI's alignment and the planner's: whole buffers are multiples of it, so clearing one never
  // misses a tail.
  private static final long ALIGNMENT = 256;

  private final KernelLibrary library;
  private final int ordinal;
  private final Options options;
  private final long stream;
  private final List<Long> sideStreams = new ArrayList<>();
  private final LinkedHashMap<Class<?>, Attachment> attachments = new LinkedHashMap<>();
  private final MemoryLedger ledger = new MemoryLedger();
  private final boolean ownsLibrary;
  // Null where it is the holder's.
  private final Thread owner;
  private final StreamSynchronize synchronize;
  private boolean closed;

  private OpenDevice(
      KernelLibrary library,
      boolean ownsLibrary,
      int ordinal,
      Options options,
      long stream,
      Thread owner) {
    this.library = library;
    this.ownsLibrary = ownsLibrary;
    this.ordinal = ordinal;
    this.options = options;
    this.stream = stream;
    this.owner = owner;
    synchronize = new StreamSynchronize(library);
  }

  /**
   * How to open a device.
   *
   * @param threads worker threads of the CPU backend, 1 to {@link #MAX_THREADS}; no result depends
   *     on it
   * @param pinned whether the calling thread and the CPU workers each keep to a processor of their
   *     own, where they are as many as the machine has: faster for a process that does nothing
   *     else, unfriendly inside one that does
   * @param precision of the factors of convolutions on a GPU, depthwise ones excepted
   * @param launching how a program's kernels are launched
   * @param convolutions what computes convolutions and linear layers on a GPU
   */
  public record Options(
      int threads,
      boolean pinned,
      Precision precision,
      Launching launching,
      ConvolutionChoice convolutions) {
    /** The most worker threads there can be. */
    public static final int MAX_THREADS = 1024;

    /**
     * @throws RefusedException if there are too few or too many threads
     */
    public Options {
      if (threads < 1 || threads > MAX_THREADS) {
        throw new RefusedException(
            "threads must be 1 to %d, got %d".formatted(MAX_THREADS, threads));
      }
    }

    /** A thread for each processor, up to {@link #MAX_THREADS}. */
    public static int threadsOfAllProcessors() {
      return Math.min(Runtime.getRuntime().availableProcessors(), MAX_THREADS);
    }

    /** Not pinned, tensor cores where there are some, captured, the fastest methods. */
    public static Options threads(int threads) {
      return new Options(
          threads, false, Precision.TF32, Launching.CAPTURED, ConvolutionChoice.AUTO);
    }
  }

  /** Something that lives as long as a device. */
  public interface Attachment {
    /** Gives back what it holds; called once, before the device's streams end. */
    void close();
  }

  /**
   * What is behind a device.
   *
   * @throws IllegalArgumentException if it was made elsewhere
   */
  public static OpenDevice of(Device device) {
    if (device instanceof OpenDevice open) {
      return open;
    }
    throw new IllegalArgumentException(
        "devices come from Device.cpu() or Device.cuda(), got a " + device.getClass().getName());
  }

  /** Opens the first device of a backend with {@link Options#threads}. */
  public static OpenDevice open(Backend backend, int threads) {
    return open(backend, Options.threads(threads));
  }

  /** Opens the first device of a backend. */
  public static OpenDevice open(Backend backend, Options options) {
    return open(backend, 0, options);
  }

  /**
   * Opens a device of a backend.
   *
   * @param ordinal its number, from 0
   * @throws UnavailableException if there is no such device; or if the backend cannot be used, with
   *     the reasons that {@link KernelLibrary#probe} gives as data
   */
  public static OpenDevice open(Backend backend, int ordinal, Options options) {
    try {
      return open(KernelLibrary.load(backend), ordinal, options);
    } catch (KernelException e) {
      // The library knows which call failed; what is missing on this machine the probe finds out.
      if (KernelLibrary.probe(backend) instanceof Availability.Unavailable unavailable) {
        throw new UnavailableException(
            backend + " cannot be used: " + String.join("; ", unavailable.reasons()), e);
      }
      throw e;
    }
  }

  /** Opens the first device of a library, which is the device's from now on. */
  public static OpenDevice open(KernelLibrary library, Options options) {
    return open(library, 0, options);
  }

  /**
   * Opens a device of a library, which is the device's from now on.
   *
   * @param ordinal its number, from 0
   * @throws UnavailableException if there is no such device
   */
  public static OpenDevice open(KernelLibrary library, int ordinal, Options options) {
    return open(library, ordinal, options, Thread.currentThread());
  }

  private static OpenDevice open(
      KernelLibrary library, int ordinal, Options options, Thread owner) {
    try {
      checkOrdinal(library, ordinal);
      long stream = createStream(library, ordinal, options);
      return new OpenDevice(library, true, ordinal, options, stream, owner);
    } catch (RuntimeException e) {
      library.close();
      throw e;
    }
  }

  /**
   * The CPU for whoever holds it: any thread may use it, and the holder sees to it that one does at
   * a time. A GPU is bound to a thread by its own runtime.
   */
  public static OpenDevice cpuOfItsHolder(int threads) {
    return open(KernelLibrary.load(Backend.CPU), 0, Options.threads(threads), null);
  }

  /**
   * Another device of its holder with the library of this one and threads and memory of its own; to
   * be closed before this one.
   *
   * @throws IllegalStateException if this one belongs to a thread, or is closed
   */
  public OpenDevice beside(int threads) {
    checkOwner();
    if (owner != null) {
      throw new IllegalStateException("a device of a thread has no other beside it");
    }
    Options others = Options.threads(threads);
    return new OpenDevice(
        library, false, ordinal, others, createStream(library, ordinal, others), null);
  }

  private static void checkOrdinal(KernelLibrary library, int ordinal) {
    // Where there is not even the first, what is wrong shows when a stream is opened.
    if (ordinal == 0) {
      return;
    }
    int count = library.deviceCount();
    if (ordinal < 0 || ordinal >= count && count > 0) {
      String there =
          IntStream.range(0, count)
              .mapToObj(i -> "%d (%s)".formatted(i, library.describe(i)))
              .collect(Collectors.joining(", "));
      throw new UnavailableException(
          "%s has no device %d, only %s".formatted(library.backend(), ordinal, there));
    }
  }

  private static long createStream(KernelLibrary library, int ordinal, Options options) {
    long stream =
        new StreamCreate(library)
                .ordinal(ordinal)
                .threads(options.threads())
                .pin(options.pinned() ? 1 : 0)
                .call()
                .stream();
    try {
      new StreamMath(library).stream(stream).math(options.precision().code()).call();
      return stream;
    } catch (RuntimeException e) {
      new StreamDestroy(library).launch(stream);
      throw e;
    }
  }

  /**
   * Allocates device memory.
   *
   * @param purpose what it is for, in the words of the memory report
   * @throws DeviceMemoryException if there is not enough
   */
  public Buffer allocate(String purpose, long bytes) {
    return allocate(purpose, bytes, () -> {});
  }

  /**
   * Allocates device memory that others may rely on.
   *
   * @param purpose what it is for, in the words of the memory report
   * @param beforeClosing is run before the buffer is given back, and throws where it must stay
   * @throws DeviceMemoryException if there is not enough
   */
  public Buffer allocate(String purpose, long bytes, Runnable beforeClosing) {
    checkOwner();
    long size = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    long address;
    try {
      address = new MemoryAllocate(library).bytes(size).ordinal(ordinal).call().address();
    } catch (KernelException e) {
      if (!e.isOutOfMemory()) {
        throw e;
      }
      DeviceMemory memory = new DeviceMemory(library).ordinal(ordinal).call();
      throw new DeviceMemoryException(
          "%.1f MiB for %s do not fit: %.1f MiB of %.1f MiB free, %s; use a smaller batch or free memory"
              .formatted(
                  size / 1048576.0,
                  purpose,
                  memory.freeBytes() / 1048576.0,
                  memory.totalBytes() / 1048576.0,
                  ledger),
          e);
    }
    ledger.add(purpose, size);
    return new Buffer(this, purpose, address, bytes, size, beforeClosing);
  }

  void release(String purpose, long address, long bytes) {
    if (!closed) {
      new MemoryFree(library).address(address).ordinal(ordinal).call();
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

  /** Fails unless called by the thread that opened the device, which may be closed. */
  public void checkThread() {
    if (owner != null && Thread.currentThread() != owner) {
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
    synchronize.launch(stream);
  }

  /** The library whose functions the device's calls are of. */
  public KernelLibrary library() {
    return library;
  }

  public Backend backend() {
    return library.backend();
  }

  /** The device's number among those of its backend, from 0. */
  public int ordinal() {
    return ordinal;
  }

  /** Address of the device's stream, for kernel calls. */
  public long stream() {
    return stream;
  }

  /**
   * Address of a stream that runs beside the device's own; what forks onto it must join again.
   *
   * @param index from 0
   */
  public long sideStream(int index) {
    checkOwner();
    while (sideStreams.size() <= index) {
      sideStreams.add(createStream(library, ordinal, options));
    }
    return sideStreams.get(index);
  }

  /** Whether programs are captured and launched as a whole. */
  public boolean captures() {
    return options.launching() == Launching.CAPTURED && backend().captures();
  }

  /** A new event; who asked for it destroys it. */
  public long createEvent() {
    checkOwner();
    return new EventCreate(library).ordinal(ordinal).call().event();
  }

  public void destroyEvent(long event) {
    new EventDestroy(library).event(event).call();
  }

  /** Marks the point that a stream has come to. */
  public void record(long event, long stream) {
    new EventRecord(library).event(event).launch(stream);
  }

  /** A stream as the device's own runtime knows it: a cudaStream_t; 0 where there is none. */
  public long nativeStream(long stream) {
    StreamNative call = new StreamNative(library);
    call.launch(stream);
    return call.nativeStream();
  }

  /**
   * What an upper layer keeps with the device, one of each type.
   *
   * @param create makes it when it is first asked for
   */
  public <T extends Attachment> T attached(Class<T> type, Supplier<T> create) {
    checkOwner();
    Attachment attachment = attachments.get(type);
    if (attachment == null) {
      attachment = create.get();
      attachments.put(type, attachment);
    }
    return type.cast(attachment);
  }

  /** Gives a captured graph back; the device may be closed already, which ends all of them. */
  public void destroyGraph(long graph) {
    checkThread();
    if (!closed) {
      new GraphDestroy(library).graph(graph).call();
    }
  }

  public Options options() {
    return options;
  }

  public MemoryLedger ledger() {
    return ledger;
  }

  /** One line for people. */
  public String description() {
    return library.describe(ordinal);
  }

  /** Tells the device's kernel library from every other build of it. */
  public String kernelChecksum() {
    return library.checksum();
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
      attachments.sequencedValues().reversed().forEach(Attachment::close);
      sideStreams.reversed().forEach(new StreamDestroy(library)::launch);
      new StreamDestroy(library).launch(stream);
    } finally {
      if (ownsLibrary) {
        library.close();
      }
    }
    if (ledger.bytes() != 0) {
      throw new IllegalStateException(
          "device memory still in use, close it before the device: " + ledger);
    }
  }
}
