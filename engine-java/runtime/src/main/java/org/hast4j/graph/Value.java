package org.hast4j.graph;

/** One output of a node. */
public record Value(Node node, int index) {
  public TensorType type() {
    return node.outputs().get(index);
  }

  /** Size of one dimension; negative indices count from the innermost. */
  public long size(int dimension) {
    return type().shape().size(dimension);
  }

  @Override
  public String toString() {
    return node.label() + "#" + node.id() + "." + index + " " + type();
  }
}
