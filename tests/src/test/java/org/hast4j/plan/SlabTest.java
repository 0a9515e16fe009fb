package org.hast4j.plan;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** Packing of intervals into one block. */
class SlabTest {
  @Provide
  Arbitrary<List<Interval>> intervals() {
    Arbitrary<Long> bytes =
        Arbitraries.oneOf(Arbitraries.longs().between(1, 2000), Arbitraries.of(256L, 512L, 65536L));
    Arbitrary<Integer> first = Arbitraries.integers().between(0, 20);
    Arbitrary<Integer> length = Arbitraries.integers().between(0, 8);
    return Combinators.combine(bytes, first, length)
        .as((b, f, l) -> new Interval(b, f, f + l))
        .list()
        .ofMaxSize(40);
  }

  @Property(tries = 500)
  void whatIsNeededTogetherSharesNoByte(@ForAll("intervals") List<Interval> intervals) {
    Slab slab = Slab.pack(intervals);
    for (int i = 0; i < intervals.size(); i++) {
      long start = slab.offsets()[i];
      long end = start + intervals.get(i).bytes();
      assertThat(start).isNotNegative();
      assertThat(start % Slab.ALIGNMENT).isZero();
      assertThat(end).isLessThanOrEqualTo(slab.bytes());
      for (int k = 0; k < i; k++) {
        boolean together =
            intervals.get(i).first() <= intervals.get(k).last()
                && intervals.get(k).first() <= intervals.get(i).last();
        if (together) {
          long otherStart = slab.offsets()[k];
          boolean apart = end <= otherStart || otherStart + intervals.get(k).bytes() <= start;
          assertThat(apart)
              .as("%s at %d and %s at %d", intervals.get(i), start, intervals.get(k), otherStart)
              .isTrue();
        }
      }
    }
  }

  @Property(tries = 500)
  void neitherMoreThanTheSumNorLessThanTheNeedOfAnyStep(
      @ForAll("intervals") List<Interval> intervals) {
    long sum = intervals.stream().mapToLong(SlabTest::aligned).sum();
    long need = 0;
    for (int step = 0; step <= 28; step++) {
      int now = step;
      need =
          Math.max(
              need,
              intervals.stream()
                  .filter(i -> i.first() <= now && now <= i.last())
                  .mapToLong(SlabTest::aligned)
                  .sum());
    }
    assertThat(Slab.pack(intervals).bytes()).isBetween(need, sum);
  }

  private static long aligned(Interval interval) {
    return Math.ceilDiv(interval.bytes(), Slab.ALIGNMENT) * Slab.ALIGNMENT;
  }

  @Example
  void aChainNeedsTwoPlaces() {
    List<Interval> chain =
        List.of(
            new Interval(1000, 0, 1),
            new Interval(1000, 1, 2),
            new Interval(1000, 2, 3),
            new Interval(1000, 3, 4));
    assertThat(Slab.pack(chain).bytes()).isEqualTo(2048);
  }

  @Example
  void nothingNeedsNothing() {
    assertThat(Slab.pack(List.of()).bytes()).isZero();
  }
}
