package org.hast4j.device.driver;

import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Counts the device bytes in use, per purpose. Not thread-safe: it belongs to its device's thread.
 */
public final class MemoryLedger {
  private final Map<String, Long> bytesByPurpose = new TreeMap<>();
  private long bytes;
  private long peakBytes;

  MemoryLedger() {}

  void add(String purpose, long size) {
    bytesByPurpose.merge(purpose, size, Long::sum);
    bytes += size;
    peakBytes = Math.max(peakBytes, bytes);
  }

  void remove(String purpose, long size) {
    bytesByPurpose.computeIfPresent(purpose, (name, held) -> held == size ? null : held - size);
    bytes -= size;
  }

  /** Bytes held now. */
  public long bytes() {
    return bytes;
  }

  /** The most bytes ever held at once. */
  public long peakBytes() {
    return peakBytes;
  }

  /** Bytes held now, per purpose. */
  public Map<String, Long> bytesByPurpose() {
    return Map.copyOf(bytesByPurpose);
  }

  /** One line per purpose, for people. */
  @Override
  public String toString() {
    return bytesByPurpose.entrySet().stream()
        .map(entry -> "%s %.1f MiB".formatted(entry.getKey(), entry.getValue() / 1048576.0))
        .collect(Collectors.joining(", ", "%.1f MiB held: ".formatted(bytes / 1048576.0), ""));
  }
}
