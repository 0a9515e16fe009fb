package org.hast4j.model;

/**
 * How a picture becomes a network's input.
 *
 * @param normalization what its bytes become
 * @param resize how it gets the network's size
 */
public record Preprocessing(Normalization normalization, Resize resize) {
  /** The usual size. */
  public Preprocessing(Normalization normalization) {
    this(normalization, Resize.USUAL);
  }
}
