package org.hast4j.ops;

import java.util.List;
import java.util.Set;
import org.hast4j.graph.Op;
import org.hast4j.graph.TensorType;
import org.hast4j.oracle.Tensor;

/**
 * One operation on given inputs.
 *
 * @param name tells the case apart; its inputs are drawn from it
 * @param wanted outputs that something reads; the kernel may leave the others out
 * @param tolerance absolute and relative; inputs are scaled so that outputs are about 1
 */
public record OpCase(
    String name, Op op, List<Tensor> inputs, Set<Integer> wanted, double tolerance) {
  public OpCase {
    inputs = List.copyOf(inputs);
    wanted = Set.copyOf(wanted);
  }

  /**
   * Types of what the case computes: the outputs, or the inputs where the operation changes them.
   */
  public List<TensorType> results() {
    List<TensorType> types = inputs.stream().map(Tensor::type).toList();
    List<TensorType> outputs = op.outputs(types);
    return op.effect() ? types : outputs;
  }

  /** Whether a result is there to be compared. */
  public boolean wants(int result) {
    return op.effect() || wanted.contains(result);
  }

  @Override
  public String toString() {
    return name;
  }
}
