package org.hast4j.oracle;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Op;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;

/**
 * Runs a graph node by node in double precision, without a plan: no memory is shared, nothing is
 * fused, nothing is left out. Variables are read when a node uses them, so steps change them for
 * what comes after.
 */
public final class Interpreter {
  // One double per 4 bytes of storage; an int64 takes the first of its two.
  private static final int CELL = 4;

  private final Map<Storage, double[]> cells = new HashMap<>();

  /** What every node read and gave in one run, by node id. */
  public record Trace(List<List<Tensor>> inputs, List<List<Tensor>> outputs) {
    public Tensor of(Value value) {
      return outputs.get(value.node().id()).get(value.index());
    }

    public List<Tensor> inputs(Node node) {
      return inputs.get(node.id());
    }
  }

  /** Memory of a storage: one value per 4 bytes, 0 at first. */
  public double[] cells(Storage storage) {
    return cells.computeIfAbsent(
        storage, s -> new double[Math.toIntExact(Math.ceilDiv(s.bytes(), CELL))]);
  }

  /** Writes a tensor to a byte offset of a storage. */
  public void write(Storage storage, long offset, Tensor tensor) {
    int stride = stride(tensor.type());
    double[] memory = cells(storage);
    for (int i = 0; i < tensor.count(); i++) {
      memory[Math.toIntExact(offset / CELL) + i * stride] = tensor.values()[i];
    }
  }

  /** Reads a tensor from a byte offset of a storage. */
  public Tensor read(Storage storage, long offset, TensorType type) {
    int stride = stride(type);
    int start = Math.toIntExact(offset / CELL);
    Tensor tensor = Tensor.zeros(type);
    double[] memory = cells(storage);
    Arrays.setAll(tensor.values(), i -> memory[start + i * stride]);
    return tensor;
  }

  private static int stride(TensorType type) {
    return Math.max(1, type.dtype().bytes() / CELL);
  }

  /** Runs every node of a graph once. */
  public Trace run(Graph graph) {
    Trace trace = new Trace(new ArrayList<>(), new ArrayList<>());
    for (Node node : graph.nodes()) {
      List<Tensor> in = node.inputs().stream().map(value -> read(value, trace)).toList();
      trace.inputs().add(in);
      if (node.op() instanceof Op.Variable variable) {
        trace.outputs().add(List.of(read(variable.storage(), variable.offset(), variable.type())));
        continue;
      }
      List<Tensor> out = Oracle.evaluate(node.op(), in);
      if (node.op().effect()) {
        for (int i = 0; i < out.size(); i++) {
          if (node.inputs().get(i).node().op() instanceof Op.Variable variable) {
            write(variable.storage(), variable.offset(), out.get(i));
          }
        }
        trace.outputs().add(List.of());
        continue;
      }
      trace.outputs().add(out);
      for (int i = 0; i < out.size(); i++) {
        for (Op.Variable target : graph.results().getOrDefault(node.output(i), List.of())) {
          write(target.storage(), target.offset(), out.get(i));
        }
      }
    }
    return trace;
  }

  private Tensor read(Value value, Trace trace) {
    if (value.node().op() instanceof Op.Variable variable) {
      return read(variable.storage(), variable.offset(), variable.type());
    }
    return trace.of(value);
  }
}
