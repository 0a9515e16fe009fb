package org.hast4j.plan;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Places intervals in one block of memory so that no two needed at the same time share a byte: the
 * largest first, each at the lowest gap that is big enough.
 *
 * @param offsets byte offset of each interval, in the order given
 * @param bytes size of the block
 */
public record Slab(long[] offsets, long bytes) {
  /** Every offset is a multiple of this: a cache line, and the vector width of every kernel. */
  public static final long ALIGNMENT = 256;

  public static Slab pack(List<Interval> intervals) {
    long[] offsets = new long[intervals.size()];
    List<Integer> placed = new ArrayList<>();
    long total = 0;
    List<Integer> order =
        IntStream.range(0, intervals.size())
            .boxed()
            .sorted(
                Comparator.comparingLong((Integer i) -> -intervals.get(i).bytes())
                    .thenComparingInt(i -> i))
            .toList();
    for (int index : order) {
      Interval interval = intervals.get(index);
      long offset = 0;
      for (int other :
          placed.stream()
              .filter(i -> intervals.get(i).overlaps(interval))
              .sorted(Comparator.comparingLong(i -> offsets[i]))
              .toList()) {
        if (offset + aligned(interval.bytes()) <= offsets[other]) {
          break;
        }
        offset = Math.max(offset, offsets[other] + aligned(intervals.get(other).bytes()));
      }
      offsets[index] = offset;
      placed.add(index);
      total = Math.max(total, offset + aligned(interval.bytes()));
    }
    return new Slab(offsets, total);
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
}
