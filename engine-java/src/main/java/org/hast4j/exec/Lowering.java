package org.hast4j.exec;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.function.ToLongFunction;
import org.hast4j.graph.Node;
import org.hast4j.graph.Op;
import org.hast4j.graph.StraightThrough;
import org.hast4j.kernel.ProductMethod;
import org.hast4j.plan.Location;
import org.hast4j.plan.Plan;
import org.hast4j.tensor.Shape;

/** Turns one planned step into kernel launches with every argument bound. */
final class Lowering {
  private final Plan.Step step;
  private final Node node;
  private final ToLongFunction<Location> addressOf;
  private final Products products;

  Lowering(Plan.Step step, ToLongFunction<Location> addressOf, Products products) {
    this.step = step;
    this.node = step.node();
    this.addressOf = addressOf;
    this.products = products;
  }

  List<KernelCall> calls() {
    List<KernelCall> calls = new ArrayList<>();
    if (step.copyBase()) {
      calls.add(copy(step.inputs().getLast(), step.outputs()[0]));
    }
    KernelCall kernel = kernel();
    if (kernel != null) {
      calls.add(kernel);
    }
    step.copies().forEach(result -> calls.add(copy(result.from(), result.to())));
    return calls;
  }

  private KernelCall copy(Location from, Location to) {
    long source = addressOf.applyAsLong(from);
    long target = addressOf.applyAsLong(to);
    long bytes = from.bytes();
    return (k, s) -> k.memoryCopy(target, source, bytes, s);
  }

  private long in(int index) {
    return addressOf.applyAsLong(step.inputs().get(index));
  }

  private long inIf(boolean present, int index) {
    return present ? in(index) : 0;
  }

  private long out(int index) {
    return addressOf.applyAsLong(step.outputs()[index]);
  }

  private Shape shape(int input) {
    return node.inputs().get(input).type().shape();
  }

  private long elements(int input) {
    return shape(input).elements();
  }

  /** The launch of the step's own kernel; null for operations that only name memory. */
  private KernelCall kernel() {
    return switch (node.op()) {
      case Op.Variable _, Op.Reshape _ -> null;
      case Op.Conv2d op -> product(products.method(op, node), bias(), false);
      case Op.Conv2dDataGrad op -> product(products.method(op, node), 0, op.accumulates());
      case Op.Conv2dWeightGrad op -> product(products.method(op, node), 0, false);
      case Op.DepthwiseConv2d op -> depthwise(op);
      case Op.DepthwiseConv2dDataGrad op -> depthwiseDataGradient(op);
      case Op.DepthwiseConv2dWeightGrad op -> depthwiseWeightGradient(op);
      case Op.Linear op -> product(products.method(op, node), bias(), false);
      case Op.LinearDataGrad op -> product(products.method(op, node), 0, false);
      case Op.LinearWeightGrad op -> product(products.method(op, node), out(1), false);
      case Op.ChannelSum _ -> channelSum();
      case Op.BnStats _ -> bnStats();
      case Op.BnAct op -> bnAct(op);
      case Op.BnActGrad op -> bnActGradient(op);
      case Op.BnRunningStep op -> {
        long runningMean = in(0);
        long runningVariance = in(1);
        long mean = in(2);
        long variance = in(3);
        long c = elements(0);
        yield (k, s) ->
            k.bnRunningStep(
                runningMean, runningVariance, mean, variance, op.rows(), c, op.momentum(), s);
      }
      case Op.BnStatsLoss op -> {
        long loss = out(0);
        long gradient = out(1);
        long mean = in(0);
        long variance = in(1);
        long runningMean = in(2);
        long runningVariance = in(3);
        long c = elements(0);
        int accumulate = op.accumulates() ? 1 : 0;
        yield (k, s) ->
            k.bnStatsLossFwd(
                loss,
                gradient,
                mean,
                variance,
                runningMean,
                runningVariance,
                op.rows(),
                c,
                op.weight(),
                accumulate,
                s);
      }
      case Op.FakeQuant op -> {
        long y = out(0);
        long x = in(0);
        long range = in(1);
        long n = elements(0);
        yield (k, s) -> k.fakeQuantFwd(y, x, range, n, op.bits(), s);
      }
      case Op.FakeQuantChannel op -> {
        long y = out(0);
        long x = in(0);
        long rows = shape(0).size(0);
        long cols = elements(0) / rows;
        yield (k, s) -> k.fakeQuantChannelFwd(y, x, rows, cols, op.bits(), s);
      }
      case Op.MinMax _ -> {
        long range = out(0);
        long x = in(0);
        long n = elements(0);
        long workspace = workspace();
        long bytes = workspaceBytes();
        yield (k, s) -> k.minMaxFwd(range, x, workspace, bytes, n, s);
      }
      case Op.RangeTrackStep op -> {
        long range = in(0);
        long state = in(1);
        long batch = in(2);
        int rule =
            switch (op.rule()) {
              case CORRECT -> 0;
              case RELEASED -> 1;
            };
        yield (k, s) -> k.rangeTrackStep(range, state, batch, op.momentum(), rule, s);
      }
      case Op.GlobalAvgPool _ -> {
        long y = out(0);
        long x = in(0);
        long n = shape(0).size(0);
        long c = shape(0).size(3);
        long hw = elements(0) / n / c;
        yield (k, s) -> k.globalAvgPoolFwd(y, x, n, hw, c, s);
      }
      case Op.GlobalAvgPoolGrad op -> {
        long dx = out(0);
        long dy = in(0);
        long n = shape(0).size(0);
        long c = shape(0).size(1);
        long hw = op.x().shape().elements() / n / c;
        yield (k, s) -> k.globalAvgPoolBwd(dx, dy, n, hw, c, s);
      }
      case Op.MaxPool op -> {
        long y = out(Op.MaxPool.Y);
        long index = out(Op.MaxPool.INDEX);
        long x = in(0);
        Shape shape = shape(0);
        long n = shape.size(0);
        long h = shape.size(1);
        long w = shape.size(2);
        long c = shape.size(3);
        yield (k, s) ->
            k.maxPoolFwd(y, index, x, n, h, w, c, op.window(), op.stride(), op.pad(), s);
      }
      case Op.MaxPoolGrad op -> {
        long dx = out(0);
        long dy = in(0);
        long index = in(1);
        Shape shape = op.x().shape();
        long n = shape.size(0);
        long h = shape.size(1);
        long w = shape.size(2);
        long c = shape.size(3);
        Op.MaxPool forward = op.forward();
        yield (k, s) ->
            k.maxPoolBwd(
                dx, dy, index, n, h, w, c, forward.window(), forward.stride(), forward.pad(), s);
      }
      case Op.Upsample _ -> {
        long y = out(0);
        long x = in(0);
        Shape shape = shape(0);
        long n = shape.size(0);
        long h = shape.size(1);
        long w = shape.size(2);
        long c = shape.size(3);
        yield (k, s) -> k.upsampleFwd(y, x, n, h, w, c, s);
      }
      case Op.UpsampleGrad op -> {
        long dx = out(0);
        long dy = in(0);
        Shape shape = op.x().shape();
        long n = shape.size(0);
        long h = shape.size(1);
        long w = shape.size(2);
        long c = shape.size(3);
        yield (k, s) -> k.upsampleBwd(dx, dy, n, h, w, c, s);
      }
      case Op.Embedding _ -> {
        long y = out(0);
        long table = in(0);
        long noise = in(1);
        long labels = in(2);
        long n = shape(1).size(0);
        long d = shape(1).size(1);
        long classes = shape(0).size(0);
        yield (k, s) -> k.embeddingFwd(y, table, noise, labels, n, d, classes, s);
      }
      case Op.EmbeddingGrad op -> {
        long dtable = out(0);
        long dy = in(0);
        long noise = in(1);
        long labels = in(2);
        long n = shape(1).size(0);
        long d = shape(1).size(1);
        long classes = op.table().shape().size(0);
        yield (k, s) -> k.embeddingBwd(dtable, dy, noise, labels, n, d, classes, s);
      }
      case Op.Shortcut op -> {
        long y = out(0);
        long x = in(0);
        Shape shape = shape(0);
        long n = shape.size(0);
        long h = shape.size(1);
        long w = shape.size(2);
        long c = shape.size(3);
        yield (k, s) -> k.shortcutFwd(y, x, n, h, w, c, op.channels(), op.stride(), s);
      }
      case Op.ShortcutGrad op -> {
        long dx = out(0);
        long dy = in(0);
        Shape shape = op.x().shape();
        long n = shape.size(0);
        long h = shape.size(1);
        long w = shape.size(2);
        long c = shape.size(3);
        long channels = shape(0).size(3);
        yield (k, s) -> k.shortcutBwd(dx, dy, n, h, w, c, channels, op.stride(), s);
      }
      case Op.Tanh _ -> {
        long y = out(0);
        long x = in(0);
        long n = elements(0);
        yield (k, s) -> k.tanhFwd(y, x, n, s);
      }
      case Op.TanhGrad _ -> {
        long dx = out(0);
        long dy = in(0);
        long y = in(1);
        long n = elements(0);
        yield (k, s) -> k.tanhBwd(dx, dy, y, n, s);
      }
      case Op.Add _ -> {
        long y = out(0);
        long a = in(0);
        long b = in(1);
        long n = elements(0);
        yield (k, s) -> k.addFwd(y, a, b, n, s);
      }
      case Op.Scale op -> {
        long y = out(0);
        long x = in(0);
        long n = elements(0);
        yield (k, s) -> k.scaleFwd(y, x, n, op.factor(), s);
      }
      case Op.SignPerturb op -> {
        long y = out(0);
        long x = in(0);
        long g = in(1);
        long n = elements(0);
        yield (k, s) -> k.signPerturbFwd(y, x, g, n, op.epsilon(), s);
      }
      case Op.HardCrossEntropy op -> {
        long loss = out(0);
        long dlogits = out(1);
        long difficulty = out(2);
        long logits = in(0);
        long labels = in(1);
        long n = shape(0).size(0);
        long classes = shape(0).size(1);
        yield (k, s) ->
            k.hardCeFwd(
                loss, dlogits, difficulty, logits, labels, n, classes, op.beta(), op.gamma(), s);
      }
      case Op.DistillKl op -> {
        long loss = out(0);
        long dstudent = out(1);
        long dteacher = out(2);
        long student = in(0);
        long teacher = in(1);
        long n = shape(0).size(0);
        long classes = shape(0).size(1);
        yield (k, s) ->
            k.distillKlFwd(
                loss,
                dstudent,
                dteacher,
                student,
                teacher,
                n,
                classes,
                op.temperature(),
                op.alpha(),
                s);
      }
      case Op.FeatureAlign op -> {
        long loss = out(0);
        long dstudent = out(1);
        long dteacher = out(2);
        long student = in(0);
        long teacher = in(1);
        long n = shape(0).size(0);
        long c = shape(0).size(1);
        int accumulate = op.accumulates() ? 1 : 0;
        yield (k, s) ->
            k.featureAlignFwd(
                loss,
                dstudent,
                dteacher,
                student,
                teacher,
                n,
                op.area(),
                c,
                op.lambda(),
                accumulate,
                s);
      }
      case Op.PhiloxNormal op -> {
        long y = out(0);
        long key = in(0);
        long n = op.type().shape().elements();
        yield (k, s) -> k.philoxNormalFwd(y, key, n, op.draw(), s);
      }
      case Op.PhiloxLabels op -> {
        long y = out(0);
        long key = in(0);
        yield (k, s) -> k.philoxLabelsFwd(y, key, op.count(), op.classes(), op.draw(), s);
      }
      case Op.Boxes op -> boxes(op);
      case Op.CropFlip op -> {
        long y = out(0);
        long images = in(0);
        long boxes = in(1);
        Shape shape = shape(0);
        long count = shape.size(0);
        long h = shape.size(1);
        long w = shape.size(2);
        long c = shape.size(3);
        long n = shape(1).size(0);
        yield (k, s) ->
            k.cropFlipFwd(y, images, boxes, n, count, h, w, c, op.height(), op.width(), s);
      }
      case Op.GatherLabels _ -> {
        long labels = out(0);
        long all = in(0);
        long boxes = in(1);
        long n = shape(1).size(0);
        long images = elements(0);
        yield (k, s) -> k.gatherLabelsFwd(labels, all, boxes, n, images, s);
      }
      case Op.CropFlipGrad op -> {
        long dimages = out(0);
        long dy = in(0);
        long boxes = in(1);
        Shape shape = op.images().shape();
        long n = shape.size(0);
        long h = shape.size(1);
        long w = shape.size(2);
        long c = shape.size(3);
        long height = shape(0).size(1);
        long width = shape(0).size(2);
        yield (k, s) -> k.cropFlipBwd(dimages, dy, boxes, n, h, w, c, height, width, s);
      }
      case Op.AdamStep op -> {
        long p = in(0);
        long m = in(1);
        long v = in(2);
        long g = in(3);
        long lr = in(4);
        long completed = in(5);
        long n = elements(0);
        yield (k, s) ->
            k.adamStep(p, m, v, g, lr, completed, n, op.beta1(), op.beta2(), op.epsilon(), s);
      }
      case Op.SgdStep op -> {
        long p = in(0);
        long buffer = in(1);
        long g = in(2);
        long lr = in(3);
        long rates = inIf(node.inputs().size() == 5, 4);
        long n = elements(0);
        int nesterov = op.nesterov() ? 1 : 0;
        yield (k, s) ->
            k.sgdStep(p, buffer, g, lr, rates, n, op.momentum(), op.decay(), nesterov, s);
      }
      case Op.SampleStep op -> {
        long p = in(0);
        long m = in(1);
        long v = in(2);
        long state = in(3);
        long completed = in(4);
        long g = in(5);
        long loss = in(6);
        long n = elements(0);
        yield (k, s) ->
            k.sampleStep(
                p,
                m,
                v,
                state,
                completed,
                g,
                loss,
                n,
                op.beta1(),
                op.beta2(),
                op.epsilon(),
                op.factor(),
                op.threshold(),
                op.minLr(),
                op.lrEpsilon(),
                op.patience(),
                s);
      }
      case Op.KeepBestStep _ -> {
        long kept = in(0);
        long keptLoss = in(1);
        long keptAt = in(2);
        long p = in(3);
        long loss = in(4);
        long now = in(5);
        long n = elements(0);
        yield (k, s) -> k.keepBestStep(kept, keptLoss, keptAt, p, loss, now, n, s);
      }
      case Op.CounterStep _ -> {
        long counter = in(0);
        yield (k, s) -> k.counterStep(counter, s);
      }
    };
  }

  private long workspace() {
    return addressOf.applyAsLong(step.workspace());
  }

  private long workspaceBytes() {
    return step.workspace() == null ? 0 : step.workspace().bytes();
  }

  /** Of a layer's output, 0 for none. */
  private long bias() {
    return inIf(node.inputs().size() == 3, 2);
  }

  private KernelCall product(ProductMethod method, long bias, boolean accumulate) {
    LongConsumer launch =
        method.bind(
            new ProductMethod.Operands(
                out(0), in(0), in(1), bias, accumulate, workspace(), workspaceBytes()));
    return (_, s) -> launch.accept(s);
  }

  private KernelCall depthwise(Op.DepthwiseConv2d op) {
    long y = out(0);
    long x = in(0);
    long weight = in(1);
    long workspace = workspace();
    long bytes = workspaceBytes();
    Shape shape = shape(0);
    long n = shape.size(0);
    long h = shape.size(1);
    long w = shape.size(2);
    long c = shape.size(3);
    long r = shape(1).size(1);
    long s = shape(1).size(2);
    return (k, stream) ->
        k.depthwiseFwd(
            y, x, weight, workspace, bytes, n, h, w, c, r, s, op.stride(), op.pad(), stream);
  }

  private KernelCall depthwiseDataGradient(Op.DepthwiseConv2dDataGrad op) {
    long dx = out(0);
    long dy = in(0);
    long weight = in(1);
    long workspace = workspace();
    long bytes = workspaceBytes();
    Shape shape = op.x().shape();
    long n = shape.size(0);
    long h = shape.size(1);
    long w = shape.size(2);
    long c = shape.size(3);
    long r = shape(1).size(1);
    long s = shape(1).size(2);
    int accumulate = op.accumulates() ? 1 : 0;
    return (k, stream) ->
        k.depthwiseBwdData(
            dx,
            dy,
            weight,
            workspace,
            bytes,
            n,
            h,
            w,
            c,
            r,
            s,
            op.stride(),
            op.pad(),
            accumulate,
            stream);
  }

  private KernelCall depthwiseWeightGradient(Op.DepthwiseConv2dWeightGrad op) {
    long dweight = out(0);
    long dy = in(0);
    long x = in(1);
    long workspace = workspace();
    long bytes = workspaceBytes();
    Shape shape = shape(1);
    long n = shape.size(0);
    long h = shape.size(1);
    long w = shape.size(2);
    long c = shape.size(3);
    long r = op.weight().shape().size(1);
    long s = op.weight().shape().size(2);
    return (k, stream) ->
        k.depthwiseBwdWeight(
            dweight, dy, x, workspace, bytes, n, h, w, c, r, s, op.stride(), op.pad(), stream);
  }

  private KernelCall channelSum() {
    long y = out(0);
    long x = in(0);
    long workspace = workspace();
    long bytes = workspaceBytes();
    long c = shape(0).size(-1);
    long rows = elements(0) / c;
    return (k, s) -> k.channelSumFwd(y, x, workspace, bytes, rows, c, s);
  }

  private KernelCall bnStats() {
    long mean = out(0);
    long variance = out(1);
    long x = in(0);
    long workspace = workspace();
    long bytes = workspaceBytes();
    long c = shape(0).size(-1);
    long rows = elements(0) / c;
    return (k, s) -> k.bnStatsFwd(mean, variance, x, workspace, bytes, rows, c, s);
  }

  private KernelCall bnAct(Op.BnAct op) {
    long y = out(Op.BnAct.Y);
    long mask = out(Op.BnAct.MASK);
    long batchMean = out(Op.BnAct.BATCH_MEAN);
    long batchVariance = out(Op.BnAct.BATCH_VARIANCE);
    long attention = out(Op.BnAct.ATTENTION);
    long u = in(0);
    long mean = in(1);
    long variance = in(2);
    long gamma = inIf(op.affine(), 3);
    long beta = inIf(op.affine(), 4);
    long addend = inIf(op.addend(), op.addendInput());
    long range = inIf(op.bits() > 0, op.rangeInput());
    int inRange = op.straightThrough() == StraightThrough.IN_RANGE ? 1 : 0;
    long workspace = workspace();
    long bytes = workspaceBytes();
    Shape shape = shape(0);
    long n = shape.size(0);
    long hw = shape.size(1) * shape.size(2);
    long c = shape.size(3);
    return (k, s) ->
        k.bnActFwd(
            y,
            mask,
            batchMean,
            batchVariance,
            attention,
            u,
            addend,
            gamma,
            beta,
            mean,
            variance,
            range,
            workspace,
            bytes,
            n,
            hw,
            c,
            op.epsilon(),
            op.slope(),
            op.ceiling(),
            op.bits(),
            inRange,
            s);
  }

  private KernelCall bnActGradient(Op.BnActGrad op) {
    Op.BnAct forward = op.forward();
    long du = out(Op.BnActGrad.DU);
    long daddend = out(Op.BnActGrad.DADDEND);
    long dgamma = out(Op.BnActGrad.DGAMMA);
    long dbeta = out(Op.BnActGrad.DBETA);
    long dy = in(0);
    long u = in(1);
    long mean = in(2);
    long variance = in(3);
    long gamma = inIf(forward.affine(), 4);
    long beta = inIf(forward.affine(), 5);
    long mask = inIf(op.mask(), op.maskInput());
    long attention = inIf(op.attention(), op.attentionInput());
    long statistics = inIf(op.statistics(), op.statisticsInput());
    long batchMean = inIf(op.statistics(), op.statisticsInput() + 1);
    long workspace = workspace();
    long bytes = workspaceBytes();
    Shape shape = shape(1);
    long n = shape.size(0);
    long hw = shape.size(1) * shape.size(2);
    long c = shape.size(3);
    int training = forward.training() ? 1 : 0;
    return (k, s) ->
        k.bnActBwd(
            du,
            daddend,
            dgamma,
            dbeta,
            dy,
            mask,
            u,
            gamma,
            beta,
            mean,
            variance,
            attention,
            statistics,
            batchMean,
            workspace,
            bytes,
            n,
            hw,
            c,
            forward.epsilon(),
            forward.slope(),
            training,
            s);
  }

  private KernelCall boxes(Op.Boxes op) {
    long boxes = out(0);
    long key = in(0);
    boolean ordered = node.inputs().size() == 3;
    long order = inIf(ordered, 2);
    long orderCount = ordered ? elements(2) : 0;
    long images = shape(1).size(0);
    long h = shape(1).size(1);
    long w = shape(1).size(2);
    return switch (op.augmentation()) {
      case Op.Augmentation.ResizedCrop crop ->
          (k, s) ->
              k.cropBoxesFwd(
                  boxes,
                  key,
                  order,
                  op.count(),
                  images,
                  orderCount,
                  h,
                  w,
                  crop.scaleMin(),
                  crop.scaleMax(),
                  crop.ratioMin(),
                  crop.ratioMax(),
                  op.draw(),
                  s);
      case Op.Augmentation.Shift shift -> {
        int flip = shift.flip() ? 1 : 0;
        yield (k, s) ->
            k.shiftBoxesFwd(
                boxes,
                key,
                order,
                op.count(),
                images,
                orderCount,
                h,
                w,
                shift.pad(),
                flip,
                op.draw(),
                s);
      }
    };
  }
}
