package org.hast4j.plan;

/** Bytes that are needed from one step to another, both included. */
public record Interval(long bytes, int first, int last) {
  /** Whether the two are needed at the same time. */
  public boolean overlaps(Interval other) {
    return first <= other.last && other.first <= last;
  }
}
