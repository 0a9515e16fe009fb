package org.hast4j.hast;

import java.util.Optional;

/**
 * How often a network is right on labelled images.
 *
 * @param top1 share of the images whose class is the most likely one, percent
 * @param top5 share of those whose class is among the five most likely ones, percent; empty where a
 *     network tells at most 10 classes apart, for which it says little
 */
public record Accuracy(double top1, Optional<Double> top5) {
  private static final int FEW_CLASSES = 10;
  private static final int FIVE = 5;

  /**
   * Of the rank that each image's label has among the classes of the image, counted from 0.
   *
   * @param classes that the network tells apart
   */
  static Accuracy of(int[] ranks, int classes) {
    return new Accuracy(
        below(1, ranks),
        classes > FEW_CLASSES ? Optional.of(below(FIVE, ranks)) : Optional.empty());
  }

  private static double below(int bound, int[] ranks) {
    int count = 0;
    for (int rank : ranks) {
      count += rank < bound ? 1 : 0;
    }
    return 100.0 * count / ranks.length;
  }

  /** For people. */
  @Override
  public String toString() {
    return "%.2f %%".formatted(top1) + top5.map(" (top-5 %.2f %%)"::formatted).orElse("");
  }
}
