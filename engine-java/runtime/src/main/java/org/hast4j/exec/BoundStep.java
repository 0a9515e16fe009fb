package org.hast4j.exec;

import java.util.function.ToLongFunction;
import org.hast4j.graph.Node;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.plan.Location;
import org.hast4j.plan.Plan;
import org.hast4j.tensor.Shape;

/** A planned step with the addresses of its values. */
record BoundStep(Plan.Step step, ToLongFunction<Location> addressOf, KernelLibrary library) {
  Node node() {
    return step.node();
  }

  /** Address of an input. */
  long in(int index) {
    return addressOf.applyAsLong(step.inputs().get(index));
  }

  /** Address of an input that may not be there, then 0. */
  long inIf(boolean present, int index) {
    return present ? in(index) : 0;
  }

  /** Address of an output, 0 for one that nothing reads. */
  long out(int index) {
    return addressOf.applyAsLong(step.outputs()[index]);
  }

  Shape shape(int input) {
    return shape(node(), input);
  }

  static Shape shape(Node node, int input) {
    return node.inputs().get(input).type().shape();
  }

  long elements(int input) {
    return shape(input).elements();
  }

  long workspace() {
    return addressOf.applyAsLong(step.workspace());
  }

  long workspaceBytes() {
    return step.workspace() == null ? 0 : step.workspace().bytes();
  }
}
