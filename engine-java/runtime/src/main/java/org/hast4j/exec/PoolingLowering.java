package org.hast4j.exec;

import java.util.ArrayList;
import java.util.List;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.AvgPoolBwd;
import org.hast4j.kernel.abi.AvgPoolFwd;
import org.hast4j.kernel.abi.ConcatFwd;
import org.hast4j.kernel.abi.GlobalAvgPoolBwd;
import org.hast4j.kernel.abi.GlobalAvgPoolFwd;
import org.hast4j.kernel.abi.MaxPoolBwd;
import org.hast4j.kernel.abi.MaxPoolFwd;
import org.hast4j.kernel.abi.PixelSumFwd;
import org.hast4j.kernel.abi.ShortcutBwd;
import org.hast4j.kernel.abi.ShortcutFwd;
import org.hast4j.kernel.abi.SliceBwd;
import org.hast4j.kernel.abi.SliceFwd;
import org.hast4j.kernel.abi.TransposeFwd;
import org.hast4j.kernel.abi.UpsampleBwd;
import org.hast4j.kernel.abi.UpsampleFwd;
import org.hast4j.tensor.Shape;

/** Kernels of pooling, resampling, and channels apart and together. */
final class PoolingLowering {
  private PoolingLowering() {}

  static List<Launch> launches(Pooling operation, BoundStep step) {
    return operation instanceof Pooling.Concat concat
        ? concatenation(concat, step)
        : List.of(launch(operation, step));
  }

  /** A launch for each input. */
  private static List<Launch> concatenation(Pooling.Concat operation, BoundStep step) {
    List<TensorType> inputs = step.node().inputs().stream().map(Value::type).toList();
    long c = operation.outputs(inputs).getFirst().shape().size(-1);
    List<Launch> launches = new ArrayList<>();
    int begin = 0;
    for (int i = 0; i < inputs.size(); i++) {
      long k = inputs.get(i).shape().size(-1);
      launches.add(
          new ConcatFwd(step.library())
              .y(step.out(0))
              .x(step.in(i))
              .rows(step.elements(i) / k)
              .c(c)
              .k(k)
              .begin(begin));
      begin += Math.toIntExact(k);
    }
    return launches;
  }

  private static Launch launch(Pooling operation, BoundStep step) {
    KernelLibrary library = step.library();
    Shape x = input(operation, step);
    // Where shapes are [.., c], all but n and c are one dimension.
    long n = x.size(0);
    long c = x.size(-1);
    long h = x.rank() == 4 ? x.size(1) : 1;
    long w = x.elements() / (n * h * c);
    return switch (operation) {
      case Pooling.Concat _ ->
          throw new IllegalStateException(operation + " is a launch for each input");
      case Pooling.PixelSum _ ->
          new PixelSumFwd(library)
              .y(step.out(0))
              .x(step.in(0))
              .factor(step.inIf(step.node().inputs().size() > 1, 1))
              .n(n)
              .hw(h * w)
              .c(c);
      case Pooling.AveragePool op ->
          new AvgPoolFwd(library)
              .y(step.out(0))
              .x(step.in(0))
              .n(n)
              .h(h)
              .w(w)
              .c(c)
              .r(op.r())
              .s(op.s())
              .window(op.window().toArray())
              .countIncludePad(op.countIncludePad() ? 1 : 0);
      case Pooling.AveragePoolGrad op ->
          new AvgPoolBwd(library)
              .dx(step.out(0))
              .dy(step.in(0))
              .n(n)
              .h(h)
              .w(w)
              .c(c)
              .r(op.forward().r())
              .s(op.forward().s())
              .window(op.forward().window().toArray())
              .countIncludePad(op.forward().countIncludePad() ? 1 : 0);
      case Pooling.Slice op ->
          new SliceFwd(library)
              .y(step.out(0))
              .x(step.in(0))
              .rows(n * h * w)
              .c(c)
              .k(op.end() - op.begin())
              .begin(op.begin());
      case Pooling.SliceGrad op ->
          new SliceBwd(library)
              .dx(step.out(0))
              .dy(step.in(0))
              .rows(n * h * w)
              .c(c)
              .k(op.forward().end() - op.forward().begin())
              .begin(op.forward().begin());
      case Pooling.ChannelShuffle op ->
          transposition(step).n(n * h * w).rows(op.groups()).columns(c / op.groups());
      case Pooling.Flatten _ -> transposition(step).n(n).rows(h * w).columns(c);
      case Pooling.FlattenGrad _ -> transposition(step).n(n).rows(c).columns(h * w);
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
              .r(op.r())
              .s(op.s())
              .window(op.window().toArray());
      case Pooling.MaxPoolGrad op ->
          new MaxPoolBwd(library)
              .dx(step.out(0))
              .dy(step.in(0))
              .index(step.in(1))
              .n(n)
              .h(h)
              .w(w)
              .c(c)
              .r(op.forward().r())
              .s(op.forward().s())
              .window(op.forward().window().toArray());
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

  private static TransposeFwd transposition(BoundStep step) {
    return new TransposeFwd(step.library()).y(step.out(0)).x(step.in(0));
  }

  /** Shape of what the operation, or the one it is the gradient of, reads. */
  private static Shape input(Pooling operation, BoundStep step) {
    return switch (operation) {
      case Pooling.GlobalAvgPool _,
          Pooling.PixelSum _,
          Pooling.AveragePool _,
          Pooling.MaxPool _,
          Pooling.Upsample _,
          Pooling.Shortcut _,
          Pooling.Concat _,
          Pooling.Slice _,
          Pooling.ChannelShuffle _,
          Pooling.Flatten _ ->
          step.shape(0);
      case Pooling.AveragePoolGrad op -> op.x().shape();
      case Pooling.SliceGrad op -> op.x().shape();
      case Pooling.FlattenGrad op -> op.x().shape();
      case Pooling.GlobalAvgPoolGrad op -> op.x().shape();
      case Pooling.MaxPoolGrad op -> op.x().shape();
      case Pooling.UpsampleGrad op -> op.x().shape();
      case Pooling.ShortcutGrad op -> op.x().shape();
    };
  }
}
