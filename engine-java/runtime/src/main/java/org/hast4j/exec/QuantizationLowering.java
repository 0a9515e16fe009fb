package org.hast4j.exec;

import org.hast4j.graph.Node;
import org.hast4j.graph.Quantization;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.FakeQuantBwd;
import org.hast4j.kernel.abi.FakeQuantChannelFwd;
import org.hast4j.kernel.abi.FakeQuantFwd;
import org.hast4j.kernel.abi.MinMaxFwd;
import org.hast4j.kernel.abi.MinMaxWorkspaceBytes;
import org.hast4j.kernel.abi.RangeTrackStep;

/** Kernels of quantizers and their ranges. */
final class QuantizationLowering {
  private QuantizationLowering() {}

  static long workspaceBytes(Quantization operation, Node node, KernelLibrary library) {
    return switch (operation) {
      case Quantization.MinMax _ ->
          new MinMaxWorkspaceBytes(library).n(BoundStep.shape(node, 0).elements()).call();
      case Quantization.FakeQuant _,
          Quantization.FakeQuantGrad _,
          Quantization.FakeQuantChannel _,
          Quantization.RangeTrackStep _ ->
          0;
    };
  }

  static Launch launch(Quantization operation, BoundStep step) {
    KernelLibrary library = step.library();
    return switch (operation) {
      case Quantization.FakeQuant op ->
          new FakeQuantFwd(library)
              .y(step.out(0))
              .x(step.in(0))
              .range(step.in(1))
              .n(step.elements(0))
              .bits(op.bits());
      case Quantization.FakeQuantGrad op ->
          new FakeQuantBwd(library)
              .dx(step.out(0))
              .dy(step.in(0))
              .x(step.in(1))
              .range(step.in(2))
              .n(step.elements(0))
              .bits(op.forward().bits());
      case Quantization.FakeQuantChannel op ->
          new FakeQuantChannelFwd(library)
              .y(step.out(0))
              .x(step.in(0))
              .rows(step.shape(0).size(0))
              .cols(step.elements(0) / step.shape(0).size(0))
              .bits(op.bits());
      case Quantization.MinMax _ ->
          new MinMaxFwd(library)
              .range(step.out(0))
              .x(step.in(0))
              .workspace(step.workspace())
              .workspaceBytes(step.workspaceBytes())
              .n(step.elements(0));
      case Quantization.RangeTrackStep op ->
          new RangeTrackStep(library)
              .range(step.in(0))
              .state(step.in(1))
              .batch(step.in(2))
              .momentum(op.momentum())
              .rule(
                  switch (op.rule()) {
                    case CORRECT -> 0;
                    case RELEASED -> 1;
                  });
    };
  }
}
