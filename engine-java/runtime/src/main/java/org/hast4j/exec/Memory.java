package org.hast4j.exec;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.stream.Collectors;
import org.hast4j.device.Device;
import org.hast4j.device.DeviceMemoryException;
import org.hast4j.device.driver.Buffer;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.graph.Storage;
import org.hast4j.kernel.abi.MemoryCopy;

/**
 * The device buffers behind storages. Programs that name the same storage share its buffer. A
 * storage gets its buffer, cleared to zero, when first asked for, and keeps it while a program that
 * is not closed holds its address. Once freed it has none for good: what it held would come back as
 * zeros. Closing the memory closes the programs and frees all buffers.
 */
public final class Memory implements AutoCloseable {
  private final OpenDevice device;
  private final Memory shared;
  private final LinkedHashMap<Storage, Buffer> buffers = new LinkedHashMap<>();
  // Weakly: what nobody else knows cannot be asked for again.
  private final Set<Storage> freed = Collections.newSetFromMap(new WeakHashMap<>());
  private final List<Program> programs = new ArrayList<>();
  private boolean closed;

  public Memory(Device device) {
    this(device, null);
  }

  /**
   * Memory beside another, whose buffers its programs may name too. Compiling and closing programs
   * of both is for one thread at a time.
   *
   * @param shared of a device whose memory this one reaches
   */
  public Memory(Device device, Memory shared) {
    this.device = OpenDevice.of(device);
    this.shared = shared;
  }

  public OpenDevice device() {
    return device;
  }

  /**
   * The buffer of a storage.
   *
   * @throws IllegalStateException if the storage was freed, or this is closed
   * @throws DeviceMemoryException if there is no room for it
   */
  public Buffer buffer(Storage storage) {
    Buffer buffer = buffers.get(storage);
    if (buffer == null && shared != null) {
      buffer = shared.buffers.get(storage);
    }
    return buffer != null ? buffer : allocated(storage);
  }

  private Buffer allocated(Storage storage) {
    checkOpen();
    if (freed.contains(storage)) {
      throw new IllegalStateException(
          "storage '%s' was freed, and what it held is gone: free it after its last use"
              .formatted(storage.name()));
    }
    Buffer buffer =
        device.allocate(storage.name(), storage.bytes(), () -> checkHeldByNone(storage));
    try {
      buffer.clear();
    } catch (RuntimeException e) {
      buffer.close();
      throw e;
    }
    buffers.put(storage, buffer);
    return buffer;
  }

  private void checkHeldByNone(Storage storage) {
    String holders =
        programs.stream()
            .filter(program -> program.holds(storage))
            .map(program -> "'" + program.name() + "'")
            .collect(Collectors.joining(", "));
    if (!holders.isEmpty()) {
      throw new IllegalStateException(
          "storage '%s' cannot be freed while programs hold it: close %s first"
              .formatted(storage.name(), holders));
    }
  }

  /** Takes in a program, to be closed with this unless it is {@link #remove}d before. */
  void add(Program program) {
    programs.add(program);
    if (shared != null) {
      shared.add(program);
    }
  }

  void remove(Program program) {
    programs.remove(program);
    if (shared != null) {
      shared.remove(program);
    }
  }

  /** Fails once this is closed. */
  void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the memory is closed");
    }
  }

  /** A new array of {@code count} floats from the start of a storage. */
  public float[] floats(Storage storage, int count) {
    float[] values = new float[count];
    buffer(storage).download(0, values);
    return values;
  }

  /** All of a storage as floats. */
  public float[] floats(Storage storage) {
    return floats(storage, Math.toIntExact(storage.bytes() / Float.BYTES));
  }

  /** Copies all of a storage to a byte offset of another. */
  public void copy(Storage from, Storage to, long offset) {
    copy(from, 0, to, offset, from.bytes());
  }

  /** Copies bytes of a storage to another, on the device. */
  public void copy(Storage from, long fromOffset, Storage to, long toOffset, long bytes) {
    new MemoryCopy(device.library())
        .destination(buffer(to).address(toOffset, bytes))
        .source(buffer(from).address(fromOffset, bytes))
        .bytes(bytes)
        .launch(device.stream());
  }

  /**
   * Gives back the buffer of a storage that is no longer needed. From then on nobody may ask for
   * it; freeing it again does nothing.
   *
   * @throws IllegalStateException if a program that is not closed holds it: names both
   */
  public void free(Storage storage) {
    device.checkThread();
    Buffer buffer = buffers.get(storage);
    if (buffer != null) {
      buffer.close();
      buffers.remove(storage);
    }
    freed.add(storage);
  }

  /** The storages that have a buffer. */
  Set<Storage> storages() {
    return Set.copyOf(buffers.keySet());
  }

  /** Gives back the buffers of all but these storages, as if nobody had asked for the others. */
  void retain(Set<Storage> storages) {
    for (Storage storage : buffers.sequencedKeySet().reversed().stream().toList()) {
      if (!storages.contains(storage)) {
        buffers.get(storage).close();
        buffers.remove(storage);
      }
    }
  }

  @Override
  public void close() {
    device.checkThread();
    closed = true;
    List.copyOf(programs).reversed().forEach(Program::close);
    buffers.sequencedValues().reversed().forEach(Buffer::close);
    buffers.clear();
  }
}
