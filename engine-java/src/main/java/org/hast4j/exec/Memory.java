package org.hast4j.exec;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import org.hast4j.device.Buffer;
import org.hast4j.device.Device;
import org.hast4j.graph.Storage;
import org.hast4j.kernel.abi.MemoryCopy;

/**
 * The device buffers behind storages. Programs that name the same storage share its buffer. A
 * storage gets its buffer, cleared to zero, when first asked for. Closing it frees all of them and
 * closes the programs.
 */
public final class Memory implements AutoCloseable {
  private final Device device;
  private final LinkedHashMap<Storage, Buffer> buffers = new LinkedHashMap<>();
  private final List<Program> programs = new ArrayList<>();
  private boolean closed;

  public Memory(Device device) {
    this.device = device;
  }

  public Device device() {
    return device;
  }

  /** The buffer of a storage. */
  public Buffer buffer(Storage storage) {
    Buffer buffer = buffers.get(storage);
    if (buffer == null) {
      checkOpen();
      buffer = device.allocate(storage.name(), storage.bytes());
      buffer.clear();
      buffers.put(storage, buffer);
    }
    return buffer;
  }

  /** Takes in a program, to be closed with this unless it is {@link #remove}d before. */
  void add(Program program) {
    programs.add(program);
  }

  void remove(Program program) {
    programs.remove(program);
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

  /** Gives back the buffer of a storage that is no longer needed. */
  public void free(Storage storage) {
    Buffer buffer = buffers.remove(storage);
    if (buffer != null) {
      buffer.close();
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
