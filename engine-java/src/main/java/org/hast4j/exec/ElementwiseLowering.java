package org.hast4j.exec;

import org.hast4j.graph.Elementwise;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.AddFwd;
import org.hast4j.kernel.abi.CounterStepI64;
import org.hast4j.kernel.abi.EmbeddingBwd;
import org.hast4j.kernel.abi.EmbeddingFwd;
import org.hast4j.kernel.abi.ScaleFwd;
import org.hast4j.kernel.abi.SignPerturbFwd;
import org.hast4j.kernel.abi.TanhBwd;
import org.hast4j.kernel.abi.TanhFwd;

/** Kernels that work on each element by itself. */
final class ElementwiseLowering {
  private ElementwiseLowering() {}

  static Launch launch(Elementwise operation, BoundStep step) {
    KernelLibrary library = step.library();
    long n = step.elements(0);
    return switch (operation) {
      case Elementwise.Tanh _ -> new TanhFwd(library).y(step.out(0)).x(step.in(0)).n(n);
      case Elementwise.TanhGrad _ ->
          new TanhBwd(library).dx(step.out(0)).dy(step.in(0)).y(step.in(1)).n(n);
      case Elementwise.Add _ -> new AddFwd(library).y(step.out(0)).a(step.in(0)).b(step.in(1)).n(n);
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
