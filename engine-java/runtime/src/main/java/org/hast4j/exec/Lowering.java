package org.hast4j.exec;

import java.util.ArrayList;
import java.util.List;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Loss;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Random;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.MemoryCopy;
import org.hast4j.plan.Location;
import org.hast4j.plan.Plan;
import org.hast4j.tensor.DType;

/**
 * Turns planned steps into launches with every argument bound, and tells what scratch they take.
 */
record Lowering(KernelLibrary library, Products products) {
  /**
   * Scratch bytes of an operation's kernel.
   *
   * @throws IllegalArgumentException if there is none for its elements
   */
  long workspaceBytes(Node node) {
    checkElements(node);
    return switch (node.op()) {
      case Convolution op -> new ConvolutionLowering(library, products).workspaceBytes(op, node);
      case Norm op -> NormLowering.workspaceBytes(op, node, library);
      case Quantization op -> QuantizationLowering.workspaceBytes(op, node, library);
      case Elementwise op -> ElementwiseLowering.workspaceBytes(op, node, library);
      case Op.Variable _, Op.Reshape _, Pooling _, Loss _, Random _, Optimizer _ -> 0;
    };
  }

  /** A type of elements gets its kernels with its first user; float32 has them. */
  private static void checkElements(Node node) {
    if (node.op() instanceof Op.Variable || node.op() instanceof Op.Reshape) {
      return;
    }
    Stream.concat(node.inputs().stream().map(Value::type), node.outputs().stream())
        .map(TensorType::dtype)
        .filter(dtype -> dtype.isFloating() && dtype != DType.F32)
        .findFirst()
        .ifPresent(
            dtype -> {
              throw new IllegalArgumentException(
                  "%s has no kernel for %s, only for %s".formatted(node, dtype, DType.F32));
            });
  }

  /** The launches of a step. */
  List<Launch> launches(Plan.Step step, ToLongFunction<Location> addressOf) {
    BoundStep bound = new BoundStep(step, addressOf, library);
    List<Launch> launches = new ArrayList<>();
    if (step.copyBase()) {
      launches.add(copy(addressOf, step.inputs().getLast(), step.outputs()[0]));
    }
    launches.addAll(kernels(bound));
    step.copies().forEach(result -> launches.add(copy(addressOf, result.from(), result.to())));
    return launches;
  }

  /** The launches of the step's own kernels: none for operations that only name memory. */
  private List<Launch> kernels(BoundStep step) {
    return switch (step.node().op()) {
      case Op.Variable _, Op.Reshape _ -> List.of();
      case Convolution op -> List.of(new ConvolutionLowering(library, products).launch(op, step));
      case Norm op -> List.of(NormLowering.launch(op, step));
      case Quantization op -> List.of(QuantizationLowering.launch(op, step));
      case Elementwise op -> List.of(ElementwiseLowering.launch(op, step));
      case Pooling op -> PoolingLowering.launches(op, step);
      case Loss op -> List.of(LossLowering.launch(op, step));
      case Random op -> List.of(RandomLowering.launch(op, step));
      case Optimizer op -> List.of(OptimizerLowering.launch(op, step));
    };
  }

  private Launch copy(ToLongFunction<Location> addressOf, Location from, Location to) {
    return new MemoryCopy(library)
        .destination(addressOf.applyAsLong(to))
        .source(addressOf.applyAsLong(from))
        .bytes(from.bytes());
  }
}
