package org.hast4j.bench;

/** One convolution in one direction with its operands in place, ready to be run again and again. */
interface Convolution extends AutoCloseable {
  /** x [n, h, w, c], weight [o, r, s, c] and dy [n, p, q, o] on the host. */
  record Operands(float[] x, float[] weight, float[] dy) {}

  void run();

  /** What the last run computed, in the layout of the operands. */
  float[] result();

  /** What the library says about how it computes this. */
  String implementation();

  @Override
  void close();
}
