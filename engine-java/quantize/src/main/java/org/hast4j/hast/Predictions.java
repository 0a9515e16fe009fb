package org.hast4j.hast;

/**
 * What a network makes of labelled images.
 *
 * @param classes the class that each image is given; -1 where a logit is no number
 * @param ranks how many classes come before the label of each image; the number of all classes
 *     where a logit is no number
 * @param count number of classes
 */
public record Predictions(int[] classes, int[] ranks, int count) {

  /** How often the labels are right. */
  public Accuracy accuracy() {
    return Accuracy.of(ranks, count);
  }

  /** How many images have their label. */
  public int right() {
    int right = 0;
    for (int rank : ranks) {
      right += rank == 0 ? 1 : 0;
    }
    return right;
  }

  /** Share of the images that others give the same class, percent; one of -1 has no like. */
  public double agreement(Predictions others) {
    int alike = 0;
    for (int i = 0; i < classes.length; i++) {
      alike += classes[i] >= 0 && classes[i] == others.classes[i] ? 1 : 0;
    }
    return 100.0 * alike / classes.length;
  }
}
