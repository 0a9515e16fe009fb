package org.hast4j.exec;

import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Node;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.ActivationBwd;
import org.hast4j.kernel.abi.ActivationFwd;
import org.hast4j.kernel.abi.AddFwd;
import org.hast4j.kernel.abi.CounterStepI64;
import org.hast4j.kernel.abi.EmbeddingBwd;
import org.hast4j.kernel.abi.EmbeddingFwd;
import org.hast4j.kernel.abi.MulFwd;
import org.hast4j.kernel.abi.PreluBwd;
import org.hast4j.kernel.abi.PreluBwdWorkspaceBytes;
import org.hast4j.kernel.abi.PreluFwd;
import org.hast4j.kernel.abi.ScaleFwd;
import org.hast4j.kernel.abi.SignPerturbFwd;
import org.hast4j.kernel.abi.TanhBwd;
import org.hast4j.kernel.abi.TanhFwd;
import org.hast4j.tensor.Shape;

/** Kernels that work on each element by itself. */
final class ElementwiseLowering {
  private ElementwiseLowering() {}

  static long workspaceBytes(Elementwise operation, Node node, KernelLibrary library) {
    if (!(operation instanceof Elementwise.PReluGrad)) {
      return 0;
    }
    Shape x = BoundStep.shape(node, 1);
    return new PreluBwdWorkspaceBytes(library).rows(x.elements() / x.size(-1)).c(x.size(-1)).call();
  }

  static Launch launch(Elementwise operation, BoundStep step) {
    KernelLibrary library = step.library();
    long n = step.elements(0);
    // Of what has two operands, the second.
    Shape repeated = step.shape(step.node().inputs().size() > 1 ? 1 : 0);
    return switch (operation) {
      case Elementwise.Tanh _ -> new TanhFwd(library).y(step.out(0)).x(step.in(0)).n(n);
      case Elementwise.TanhGrad _ ->
          new TanhBwd(library).dx(step.out(0)).dy(step.in(0)).y(step.in(1)).n(n);
      case Elementwise.Activation op ->
          new ActivationFwd(library)
              .y(step.out(0))
              .x(step.in(0))
              .n(n)
              .kind(op.function().kind().ordinal())
              .slope(op.function().slope())
              .ceiling(op.function().ceiling());
      case Elementwise.ActivationGrad op ->
          new ActivationBwd(library)
              .dx(step.out(0))
              .dy(step.in(0))
              .x(step.in(1))
              .n(n)
              .kind(op.forward().function().kind().ordinal())
              .slope(op.forward().function().slope())
              .ceiling(op.forward().function().ceiling());
      case Elementwise.Add _ ->
          new AddFwd(library)
              .y(step.out(0))
              .a(step.in(0))
              .b(step.in(1))
              .n(repeated.elements() / repeated.size(-1))
              .hw(n / repeated.elements())
              .c(repeated.size(-1));
      case Elementwise.Mul _ ->
          new MulFwd(library)
              .y(step.out(0))
              .a(step.in(0))
              .b(step.in(1))
              .n(repeated.elements() / repeated.size(-1))
              .hw(n / repeated.elements())
              .c(repeated.size(-1));
      case Elementwise.PRelu _ ->
          new PreluFwd(library)
              .y(step.out(0))
              .x(step.in(0))
              .slope(step.in(1))
              .rows(n / step.elements(1))
              .c(step.elements(1));
      case Elementwise.PReluGrad _ ->
          new PreluBwd(library)
              .dx(step.out(Elementwise.PReluGrad.DX))
              .dslope(step.out(Elementwise.PReluGrad.DSLOPE))
              .dy(step.in(0))
              .x(step.in(1))
              .slope(step.in(2))
              .workspace(step.workspace())
              .workspaceBytes(step.workspaceBytes())
              .rows(n / step.elements(2))
              .c(step.elements(2));
      case Elementwise.Scale op ->
          new ScaleFwd(library).y(step.out(0)).x(step.in(0)).n(n).factor(op.factor());
      case Elementwise.SignPerturb op ->
          new SignPerturbFwd(library)
              .y(step.out(0))
              .x(step.in(0))
              .g(step.in(1))
              .n(n)
              .epsilon(op.epsilon());
      case Elementwise.Embedding _ ->
          new EmbeddingFwd(library)
              .y(step.out(0))
              .table(step.in(0))
              .noise(step.in(1))
              .labels(step.in(2))
              .n(step.shape(1).size(0))
              .d(step.shape(1).size(1))
              .classes(step.shape(0).size(0));
      case Elementwise.EmbeddingGrad op ->
          new EmbeddingBwd(library)
              .dtable(step.out(0))
              .dy(step.in(0))
              .noise(step.in(1))
              .labels(step.in(2))
              .n(step.shape(1).size(0))
              .d(step.shape(1).size(1))
              .classes(op.table().shape().size(0));
      case Elementwise.CounterStep _ -> new CounterStepI64(library).counter(step.in(0));
    };
  }
}
