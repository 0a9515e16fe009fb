package org.hast4j.bench;

/**
 * The size of a batch's activations, NHWC.
 *
 * @param n images
 * @param hw pixels of each
 * @param c channels
 */
public record Activations(long n, long hw, long c) {
  long rows() {
    return n * hw;
  }

  public long elements() {
    return rows() * c;
  }
}
