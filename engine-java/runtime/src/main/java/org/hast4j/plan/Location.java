package org.hast4j.plan;

import org.hast4j.graph.Storage;

/**
 * Where a value lies: a byte range of a storage, or of the program's own slab when storage is null.
 */
public record Location(Storage storage, long offset, long bytes) {
  /** Whether two locations share a byte. */
  public boolean overlaps(Location other) {
    return storage == other.storage
        && offset < other.offset + other.bytes
        && other.offset < offset + bytes;
  }
}
