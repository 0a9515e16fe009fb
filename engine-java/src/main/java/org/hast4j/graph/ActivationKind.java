package org.hast4j.graph;

/** The activations of elementwise.h in the C ABI, which gives their formulas. */
public enum ActivationKind {
  /** With a slope for negative values and an upper bound: ReLU, LeakyReLU and ReLU6. */
  RELU,
  HARD_SIGMOID,
  HARD_SWISH,
  SIGMOID,
  SILU,
  /** The exact one, of the error function. */
  GELU
}
