package org.hast4j.tensor;

import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * The sizes of a dense tensor, outermost first; a scalar has one dimension of size 1. Immutable.
 */
public final class Shape {
  private final long[] sizes;

  private Shape(long[] sizes) {
    this.sizes = sizes;
  }

  /**
   * A shape of the given sizes.
   *
   * @throws IllegalArgumentException if there is no size, one is below 1, or the product overflows
   */
  public static Shape of(long... sizes) {
    if (sizes.length == 0) {
      throw new IllegalArgumentException("a shape needs at least one size; a scalar is [1]");
    }
    long elements = 1;
    for (long size : sizes) {
      if (size < 1) {
        throw new IllegalArgumentException(
            "sizes must be at least 1, got " + Arrays.toString(sizes));
      }
      try {
        elements = Math.multiplyExact(elements, size);
      } catch (ArithmeticException e) {
        throw new IllegalArgumentException("too many elements: " + Arrays.toString(sizes), e);
      }
    }
    return new Shape(sizes.clone());
  }

  public int rank() {
    return sizes.length;
  }

  /** Size of one dimension; negative indices count from the innermost. */
  public long size(int dimension) {
    return sizes[dimension < 0 ? dimension + sizes.length : dimension];
  }

  public long elements() {
    long elements = 1;
    for (long size : sizes) {
      elements *= size;
    }
    return elements;
  }

  public long[] sizes() {
    return sizes.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape shape && Arrays.equals(sizes, shape.sizes);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(sizes);
  }

  @Override
  public String toString() {
    return Arrays.stream(sizes)
        .mapToObj(Long::toString)
        .collect(Collectors.joining(", ", "[", "]"));
  }
}
