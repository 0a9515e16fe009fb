package org.hast4j.graph;

/**
 * Which of a few sequences of kernels a node belongs to. A device that captures programs may run
 * the lanes side by side; within a lane, and wherever one lane needs what another computes, the
 * order is that of the graph. Lanes change when things run, never what comes out.
 */
public enum Lane {
  /** What everything else waits for. */
  MAIN,
  /** A pass through a network that does not depend on the one in the main lane: the teacher's. */
  BRANCH,
  /** What nothing in the other lanes needs soon: weight gradients, statistics losses. */
  SIDE
}
