package org.hast4j.graph;

/**
 * A named range of memory that outlives a program's run: parameters, optimiser state, data. Two
 * storages are the same only if they are the same object.
 */
public final class Storage {
  private final String name;
  private final long bytes;

  public Storage(String name, long bytes) {
    if (bytes < 1) {
      throw new IllegalArgumentException(
          "storage '" + name + "' needs at least 1 byte, got " + bytes);
    }
    this.name = name;
    this.bytes = bytes;
  }

  /** Storage for exactly one tensor. */
  public static Storage of(String name, TensorType type) {
    return new Storage(name, type.bytes());
  }

  public String name() {
    return name;
  }

  public long bytes() {
    return bytes;
  }

  @Override
  public String toString() {
    return name + " (" + bytes + " bytes)";
  }
}
