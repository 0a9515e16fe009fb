package org.hast4j.exec;

import org.hast4j.graph.Pooling;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.GlobalAvgPoolBwd;
import org.hast4j.kernel.abi.GlobalAvgPoolFwd;
import org.hast4j.kernel.abi.MaxPoolBwd;
import org.hast4j.kernel.abi.MaxPoolFwd;
import org.hast4j.kernel.abi.ShortcutBwd;
import org.hast4j.kernel.abi.ShortcutFwd;
import org.hast4j.kernel.abi.UpsampleBwd;
import org.hast4j.kernel.abi.UpsampleFwd;
import org.hast4j.tensor.Shape;

/** Kernels of pooling, resampling and the shortcut without parameters. */
final class PoolingLowering {
  private PoolingLowering() {}

  static Launch launch(Pooling operation, BoundStep step) {
    KernelLibrary library = step.library();
    Shape x = input(operation, step);
    long n = x.size(0);
    long h = x.size(1);
    long w = x.size(2);
    long c = x.size(3);
    return switch (operation) {
      case Pooling.GlobalAvgPool _ ->
          new GlobalAvgPoolFwd(library).y(step.out(0)).x(step.in(0)).n(n).hw(h * w).c(c);
      case Pooling.GlobalAvgPoolGrad _ ->
          new GlobalAvgPoolBwd(library).dx(step.out(0)).dy(step.in(0)).n(n).hw(h * w).c(c);
      case Pooling.MaxPool op ->
          new MaxPoolFwd(library)
              .y(step.out(Pooling.MaxPool.Y))
              .index(step.out(Pooling.MaxPool.INDEX))
              .x(step.in(0))
              .n(n)
              .h(h)
              .w(w)
              .c(c)
              .window(op.window())
              .stride(op.stride())
              .pad(op.pad());
      case Pooling.MaxPoolGrad op ->
          new MaxPoolBwd(library)
              .dx(step.out(0))
              .dy(step.in(0))
              .index(step.in(1))
              .n(n)
              .h(h)
              .w(w)
              .c(c)
              .window(op.forward().window())
              .stride(op.forward().stride())
              .pad(op.forward().pad());
      case Pooling.Upsample _ ->
          new UpsampleFwd(library).y(step.out(0)).x(step.in(0)).n(n).h(h).w(w).c(c);
      case Pooling.UpsampleGrad _ ->
          new UpsampleBwd(library).dx(step.out(0)).dy(step.in(0)).n(n).h(h).w(w).c(c);
      case Pooling.Shortcut op ->
          new ShortcutFwd(library)
              .y(step.out(0))
              .x(step.in(0))
              .n(n)
              .h(h)
              .w(w)
              .c(c)
              .k(op.channels())
              .stride(op.stride());
      case Pooling.ShortcutGrad op ->
          new ShortcutBwd(library)
              .dx(step.out(0))
              .dy(step.in(0))
              .n(n)
              .h(h)
              .w(w)
              .c(c)
              .k(step.shape(0).size(3))
              .stride(op.stride());
    };
  }

  /** Shape of what the operation, or the one it is the gradient of, reads. */
  private static Shape input(Pooling operation, BoundStep step) {
    return switch (operation) {
      case Pooling.GlobalAvgPool _, Pooling.MaxPool _, Pooling.Upsample _, Pooling.Shortcut _ ->
          step.shape(0);
      case Pooling.GlobalAvgPoolGrad op -> op.x().shape();
      case Pooling.MaxPoolGrad op -> op.x().shape();
      case Pooling.UpsampleGrad op -> op.x().shape();
      case Pooling.ShortcutGrad op -> op.x().shape();
    };
  }
}
