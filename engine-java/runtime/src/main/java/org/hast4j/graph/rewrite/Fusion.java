package org.hast4j.graph.rewrite;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Value;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.StraightThrough;

/**
 * Turns a batch normalization and what alone reads it, [+ add] [+ ReLU] [+ fake quantizer], into
 * one node. All values keep their bits: the fused kernel rounds as its parts do.
 */
public final class Fusion {
  private final Graph source;
  private final Graph target;
  private final Set<Value> needed;
  private final Set<Node> own;
  private final Map<Value, List<Node>> readers = new HashMap<>();
  private final Map<Value, Value> values = new HashMap<>();
  private final Set<Node> taken = new HashSet<>();

  private Fusion(Graph source, Graph target, Set<Value> needed) {
    this.source = source;
    this.target = target;
    this.needed = needed;
    own = Set.copyOf(source.nodes());
    for (Node node : source.nodes()) {
      for (Value input : node.inputs()) {
        readers.computeIfAbsent(input, _ -> new ArrayList<>()).add(node);
      }
    }
  }

  /**
   * Appends the nodes of a graph to another, fused, in the lane that the other is in. A fused node
   * stands where its batch normalization stood.
   *
   * @param source may read values of {@code target}; keeps no results
   * @param needed values of {@code source} that are asked for afterwards
   * @return what became of every value of {@code source} that is still there; of the needed ones
   *     each is
   */
  public static Map<Value, Value> append(Graph source, Graph target, Set<Value> needed) {
    return new Fusion(source, target, needed).append();
  }

  private Map<Value, Value> append() {
    for (Node node : source.nodes()) {
      if (taken.contains(node)) {
        continue;
      }
      target.part(node.part());
      if (node.op() instanceof Norm.BnAct norm && isPlain(node, norm)) {
        new Chain(node).append(norm);
      } else {
        copy(node);
      }
    }
    target.part("");
    return values;
  }

  private void copy(Node node) {
    Node copy = target.apply(node.op(), mapped(node.inputs()));
    for (int i = 0; i < node.outputs().size(); i++) {
      values.put(node.output(i), copy.output(i));
    }
  }

  private Value[] mapped(List<Value> inputs) {
    return inputs.stream().map(value -> values.getOrDefault(value, value)).toArray(Value[]::new);
  }

  /** A normalization and nothing else, whose mask nobody asks for. */
  private boolean isPlain(Node node, Norm.BnAct norm) {
    Value mask = node.output(Norm.BnAct.MASK);
    return !norm.residual()
        && norm.bits() == 0
        && norm.slope() == 1
        && !readers.containsKey(mask)
        && !needed.contains(mask);
  }

  /** Whether a value is there before the node that is being appended. */
  private boolean isKnown(Value value) {
    return values.containsKey(value) || !own.contains(value.node());
  }

  /** A batch normalization and what it takes along. */
  private final class Chain {
    private final Node norm;
    private final List<Value> inputs;
    private Value end;
    private boolean residual;
    private float slope = 1;
    private float ceiling = Float.POSITIVE_INFINITY;
    private int bits;
    private StraightThrough straightThrough = StraightThrough.EVERYWHERE;

    Chain(Node norm) {
      this.norm = norm;
      inputs = new ArrayList<>(norm.inputs());
      end = norm.output(Norm.BnAct.Y);
    }

    void append(Norm.BnAct op) {
      takeAdd();
      takeActivation();
      takeQuantizer();
      Norm.BnAct fused =
          new Norm.BnAct(
              op.affine(),
              residual,
              bits,
              straightThrough,
              slope,
              ceiling,
              op.epsilon(),
              op.training());
      Node node = target.apply(fused, mapped(inputs));
      for (int i = Norm.BnAct.MASK + 1; i < norm.outputs().size(); i++) {
        values.put(norm.output(i), node.output(i));
      }
      values.put(end, node.output(Norm.BnAct.Y));
    }

    /**
     * The node that alone reads what the chain ends with; null if others need that, or if a step
     * before the node may change what it reads.
     */
    private Node next() {
      List<Node> reading = readers.getOrDefault(end, List.of());
      if (reading.size() != 1 || needed.contains(end)) {
        return null;
      }
      Node next = reading.getFirst();
      boolean steady =
          source.nodes().subList(norm.id(), next.id()).stream().noneMatch(n -> n.op().effect());
      return steady ? next : null;
    }

    private void take(Node node) {
      taken.add(node);
      end = node.output(0);
    }

    /** A sum of two of one shape whose other operand is there already. */
    private void takeAdd() {
      Node next = next();
      if (next != null && next.op() instanceof Elementwise.Add) {
        List<Value> operands = next.inputs();
        Value other = operands.get(operands.getFirst().equals(end) ? 1 : 0);
        if (isKnown(other) && other.type().equals(end.type())) {
          residual = true;
          inputs.add(other);
          take(next);
        }
      }
    }

    private void takeActivation() {
      Node next = next();
      if (next != null
          && next.op() instanceof Elementwise.Activation activation
          && activation.function().kind() == ActivationFunction.Kind.RELU) {
        slope = activation.function().slope();
        ceiling = activation.function().ceiling();
        take(next);
      }
    }

    private void takeQuantizer() {
      Node next = next();
      if (next == null
          || !(next.op() instanceof Quantization.FakeQuant quantizer)
          || !next.inputs().getFirst().equals(end)
          || quantizer.straightThrough() == StraightThrough.IN_RANGE && slope != 0) {
        return;
      }
      Value range = next.inputs().get(1);
      if (!isKnown(range) && range.node().op() instanceof Op.Variable) {
        copy(range.node());
        taken.add(range.node());
      }
      if (isKnown(range)) {
        bits = quantizer.bits();
        straightThrough = quantizer.straightThrough();
        inputs.add(range);
        take(next);
      }
    }
  }
}
