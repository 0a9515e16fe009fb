package org.hast4j.bench;

import java.util.ArrayList;
import java.util.List;
import org.hast4j.device.driver.Buffer;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.abi.FillFwd;
import org.hast4j.kernel.abi.PhiloxNormalFwd;

/** Operands of kernels in device memory, which closing gives back. */
public final class DeviceOperands implements AutoCloseable {
  private final OpenDevice device;
  private final List<Buffer> buffers = new ArrayList<>();
  private long seed;

  public DeviceOperands(OpenDevice device) {
    this.device = device;
  }

  public OpenDevice device() {
    return device;
  }

  /** The address of new memory with all floats the same. */
  public long constant(long elements, float value) {
    long address = allocated(elements * Float.BYTES);
    new FillFwd(device.library()).y(address).n(elements).value(value).launch(device.stream());
    return address;
  }

  /** The address of new memory with standard normal floats. */
  public long normal(long elements) {
    long address = allocated(elements * Float.BYTES);
    long key = filled(new long[] {++seed, 0});
    new PhiloxNormalFwd(device.library())
        .y(address)
        .key(key)
        .n(elements)
        .draw(0)
        .launch(device.stream());
    return address;
  }

  public long filled(float[] values) {
    Buffer buffer = buffer((long) values.length * Float.BYTES);
    buffer.upload(0, values);
    return start(buffer);
  }

  public long filled(long[] values) {
    Buffer buffer = buffer((long) values.length * Long.BYTES);
    buffer.upload(0, values);
    return start(buffer);
  }

  /** The address of new memory of at least one byte, cleared. */
  public long cleared(long bytes) {
    Buffer buffer = buffer(Math.max(1, bytes));
    buffer.clear();
    return start(buffer);
  }

  /** The address of new memory with whatever is in it. */
  public long allocated(long bytes) {
    return start(buffer(bytes));
  }

  private Buffer buffer(long bytes) {
    Buffer buffer = device.allocate("operands", bytes);
    buffers.add(buffer);
    return buffer;
  }

  private static long start(Buffer buffer) {
    return buffer.address(0, buffer.bytes());
  }

  @Override
  public void close() {
    buffers.reversed().forEach(Buffer::close);
    buffers.clear();
  }
}
