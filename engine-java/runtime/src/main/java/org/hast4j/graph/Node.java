package org.hast4j.graph;

import java.util.List;

/** An operation applied to values. Identity is the object; ids follow the order of execution. */
public final class Node {
  private final int id;
  private final Op op;
  private final List<Value> inputs;
  private final List<TensorType> outputs;
  private final String part;
  private final Lane lane;

  Node(int id, Op op, List<Value> inputs, List<TensorType> outputs, String part, Lane lane) {
    this.id = id;
    this.op = op;
    this.inputs = inputs;
    this.outputs = outputs;
    this.part = part;
    this.lane = lane;
  }

  public int id() {
    return id;
  }

  public Op op() {
    return op;
  }

  public List<Value> inputs() {
    return inputs;
  }

  public List<TensorType> outputs() {
    return outputs;
  }

  /** The operation's name and the part of the network it belongs to, for messages and profiles. */
  public String label() {
    return label(op, part);
  }

  static String label(Op op, String part) {
    String name = op.getClass().getSimpleName();
    return part.isEmpty() ? name : name + " " + part;
  }

  /** The part of the network that it belongs to; empty for none. */
  public String part() {
    return part;
  }

  public Lane lane() {
    return lane;
  }

  public Value output(int index) {
    return new Value(this, index);
  }

  @Override
  public String toString() {
    return label() + "#" + id;
  }
}
