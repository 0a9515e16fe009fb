package org.hast4j.graph;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A growing list of operations in the order of their execution. Nodes never change once applied; a
 * step (an operation with an effect) changes variables for the nodes applied after it.
 */
public final class Graph {
  private final List<Node> nodes = new ArrayList<>();
  private final Map<Value, List<Op.Variable>> results = new LinkedHashMap<>();
  private String part = "";
  private Lane lane = Lane.MAIN;

  /**
   * Names the part of the computation that the following nodes belong to, for messages and
   * profiles.
   */
  public void part(String name) {
    part = name;
  }

  /**
   * Says which lane the following nodes belong to.
   *
   * @return the lane before, to go back to
   */
  public Lane lane(Lane next) {
    Lane before = lane;
    lane = next;
    return before;
  }

  /**
   * Applies an operation.
   *
   * @throws IllegalArgumentException if an input's shape is wrong
   */
  public Node apply(Op op, Value... inputs) {
    List<Value> list = List.of(inputs);
    List<TensorType> outputs;
    try {
      outputs = op.outputs(list.stream().map(Value::type).toList());
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(e.getMessage() + " (in " + Node.label(op, part) + ")", e);
    }
    Node node = new Node(nodes.size(), op, list, outputs, part, lane);
    nodes.add(node);
    return node;
  }

  /** Applies an operation and gives its first output. */
  public Value value(Op op, Value... inputs) {
    return apply(op, inputs).output(0);
  }

  /** A variable that fills the start of its storage. */
  public Value variable(Storage storage, TensorType type) {
    return variable(storage, 0, type);
  }

  /** A variable at a byte offset of its storage. */
  public Value variable(Storage storage, long offset, TensorType type) {
    return value(new Op.Variable(storage, offset, type));
  }

  /**
   * Has a value end up in a storage, where the host or another program reads it. A value may be
   * kept in several places.
   *
   * @throws IllegalArgumentException if another value, or this one, is kept in some of the same
   *     bytes
   */
  public void keep(Value value, Storage storage, long offset) {
    Op.Variable target = new Op.Variable(storage, offset, value.type());
    results.forEach(
        (other, targets) -> {
          if (targets.stream().anyMatch(target::overlaps)) {
            throw new IllegalArgumentException(
                "%s cannot be kept at byte %d of %s: %s is"
                    .formatted(value, offset, storage, other));
          }
        });
    results.computeIfAbsent(value, _ -> new ArrayList<>()).add(target);
  }

  /** Has a value end up at the start of a storage. */
  public void keep(Value value, Storage storage) {
    keep(value, storage, 0);
  }

  public List<Node> nodes() {
    return Collections.unmodifiableList(nodes);
  }

  /** The kept values and where they end up. */
  public Map<Value, List<Op.Variable>> results() {
    return Collections.unmodifiableMap(results);
  }
}
