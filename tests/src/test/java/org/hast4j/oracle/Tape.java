package org.hast4j.oracle;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
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
import org.hast4j.tensor.StraightThrough;

/**
 * Reverse-mode differentiation of an interpreted run, value by value, each operation by the
 * textbook. It knows nothing of fused gradients: batch statistics, for one, are differentiated as
 * operations of their own.
 */
public final class Tape {
  private final Interpreter.Trace trace;
  private final Map<Value, Tensor> cotangents = new HashMap<>();

  private Tape(Interpreter.Trace trace) {
    this.trace = trace;
  }

  /**
   * Gradients of a scalar with respect to values of the graph; zeros where it does not depend on
   * one.
   */
  public static List<Tensor> gradients(
      Graph graph, Interpreter.Trace trace, Value loss, List<Value> wrt) {
    Tape tape = new Tape(trace);
    tape.cotangents.put(loss, Tensor.of(loss.type(), 1));
    for (Node node : graph.nodes().subList(0, loss.node().id() + 1).reversed()) {
      tape.pull(node);
    }
    return wrt.stream()
        .map(value -> tape.cotangents.getOrDefault(value, Tensor.zeros(value.type())))
        .toList();
  }

  private void pull(Node node) {
    List<Tensor> in = trace.inputs(node);
    List<Tensor> dy = new ArrayList<>();
    boolean reached = false;
    for (int i = 0; i < node.outputs().size(); i++) {
      Tensor cotangent = cotangents.get(node.output(i));
      reached |= cotangent != null;
      dy.add(cotangent != null ? cotangent : Tensor.zeros(node.outputs().get(i)));
    }
    if (!reached) {
      return;
    }
    List<Value> inputs = node.inputs();
    switch (node.op()) {
      case Convolution.Conv2d op -> {
        add(
            inputs.get(0),
            one(new Convolution.Conv2dDataGrad(op, in.get(0).type(), false), dy.get(0), in.get(1)));
        add(
            inputs.get(1),
            one(new Convolution.Conv2dWeightGrad(op, in.get(1).type()), dy.get(0), in.get(0)));
        if (in.size() == 3) {
          add(inputs.get(2), one(new Norm.ChannelSum(), dy.get(0)));
        }
      }
      case Convolution.DepthwiseConv2d op -> {
        add(
            inputs.get(0),
            one(
                new Convolution.DepthwiseConv2dDataGrad(op, in.get(0).type(), false),
                dy.get(0),
                in.get(1)));
        add(
            inputs.get(1),
            one(
                new Convolution.DepthwiseConv2dWeightGrad(op, in.get(1).type()),
                dy.get(0),
                in.get(0)));
        if (in.size() == 3) {
          add(inputs.get(2), one(new Norm.ChannelSum(), dy.get(0)));
        }
      }
      case Norm.BnStats _ ->
          add(inputs.getFirst(), statistics(in.getFirst(), dy.get(0), dy.get(1)));
      case Norm.BnAct op -> batchNorm(op, node, in, dy);
      case Loss.BnStatsLoss op -> {
        double scale = op.weight() * 2.0 / in.get(0).count() * dy.get(0).values()[0];
        add(inputs.get(0), combine(scale, in.get(0), -scale, in.get(2)));
        add(inputs.get(1), combine(scale, in.get(1), -scale, in.get(3)));
        add(inputs.get(2), combine(-scale, in.get(0), scale, in.get(2)));
        add(inputs.get(3), combine(-scale, in.get(1), scale, in.get(3)));
        if (op.accumulates()) {
          add(inputs.get(4), dy.get(0));
        }
      }
      case Loss.HardCrossEntropy _ -> add(inputs.get(0), ofLoss(node, dy, 1));
      case Loss.DistillKl _ -> {
        add(inputs.get(0), ofLoss(node, dy, 1));
        add(inputs.get(1), ofLoss(node, dy, 2));
      }
      case Loss.FeatureAlign op -> {
        // The operation gives the factor of the features; that of the mean of their squares is half
        // the area of it.
        for (int side = 0; side < 2; side++) {
          Tensor factor = ofLoss(node, dy, 1 + side);
          add(inputs.get(side), combine(op.area() / 2.0, factor, 0, factor));
        }
        if (op.accumulates()) {
          add(inputs.get(2), dy.get(0));
        }
      }
      case Quantization.FakeQuant op ->
          add(
              inputs.get(0),
              op.straightThrough() == StraightThrough.EVERYWHERE
                  ? dy.get(0)
                  : one(new Quantization.FakeQuantGrad(op), dy.get(0), in.get(0), in.get(1)));
      case Quantization.FakeQuantChannel _ -> add(inputs.get(0), dy.get(0));
      case Op.Reshape _ -> add(inputs.get(0), new Tensor(in.get(0).type(), dy.get(0).values()));
      case Convolution.Linear _ -> {
        add(inputs.get(0), one(new Convolution.LinearDataGrad(), dy.get(0), in.get(1)));
        List<Tensor> gradients =
            Oracle.evaluate(new Convolution.LinearWeightGrad(), List.of(dy.get(0), in.get(0)));
        add(inputs.get(1), gradients.get(0));
        if (in.size() == 3) {
          add(inputs.get(2), gradients.get(1));
        }
      }
      case Pooling.GlobalAvgPool _ ->
          add(inputs.get(0), one(new Pooling.GlobalAvgPoolGrad(in.get(0).type()), dy.get(0)));
      case Pooling.MaxPool op ->
          add(
              inputs.get(0),
              one(
                  new Pooling.MaxPoolGrad(op, in.get(0).type()),
                  dy.get(Pooling.MaxPool.Y),
                  trace.of(node.output(Pooling.MaxPool.INDEX))));
      case Pooling.Upsample _ ->
          add(inputs.get(0), one(new Pooling.UpsampleGrad(in.get(0).type()), dy.get(0)));
      case Pooling.Shortcut op ->
          add(
              inputs.get(0),
              one(new Pooling.ShortcutGrad(op.stride(), in.get(0).type()), dy.get(0)));
      case Elementwise.Embedding _ ->
          add(
              inputs.get(0),
              one(
                  new Elementwise.EmbeddingGrad(in.get(0).type()),
                  dy.get(0),
                  in.get(1),
                  in.get(2)));
      case Random.CropFlip _ ->
          add(inputs.get(0), one(new Random.CropFlipGrad(in.get(0).type()), dy.get(0), in.get(1)));
      case Elementwise.Tanh _ ->
          add(inputs.get(0), one(new Elementwise.TanhGrad(), dy.get(0), trace.of(node.output(0))));
      case Elementwise.Activation op ->
          add(inputs.get(0), one(new Elementwise.ActivationGrad(op), dy.get(0), in.get(0)));
      case Elementwise.Scale op -> add(inputs.get(0), one(op, dy.get(0)));
      case Elementwise.Add _ -> {
        add(inputs.get(0), dy.get(0));
        add(inputs.get(1), gathered(dy.get(0), in.get(1).type()));
      }
      case Elementwise.Mul _ -> {
        add(inputs.get(0), one(new Elementwise.Mul(), dy.get(0), in.get(1)));
        Tensor products = combine(dy.get(0), in.get(0));
        add(inputs.get(1), gathered(products, in.get(1).type()));
      }
      case Elementwise.PRelu _ -> {
        List<Tensor> gradients =
            Oracle.evaluate(new Elementwise.PReluGrad(), List.of(dy.get(0), in.get(0), in.get(1)));
        add(inputs.get(0), gradients.get(Elementwise.PReluGrad.DX));
        add(inputs.get(1), gradients.get(Elementwise.PReluGrad.DSLOPE));
      }
      case Pooling.AveragePool op ->
          add(inputs.get(0), one(new Pooling.AveragePoolGrad(op, in.get(0).type()), dy.get(0)));
      case Pooling.Concat _ -> {
        int begin = 0;
        for (int i = 0; i < in.size(); i++) {
          int end = begin + in.get(i).size(-1);
          add(inputs.get(i), one(new Pooling.Slice(begin, end), dy.get(0)));
          begin = end;
        }
      }
      case Pooling.Slice op ->
          add(inputs.get(0), one(new Pooling.SliceGrad(op, in.get(0).type()), dy.get(0)));
      case Pooling.ChannelShuffle op -> {
        int members = in.get(0).size(-1) / op.groups();
        add(inputs.get(0), one(new Pooling.ChannelShuffle(members), dy.get(0)));
      }
      case Pooling.Flatten _ ->
          add(inputs.get(0), one(new Pooling.FlattenGrad(in.get(0).type()), dy.get(0)));
      case Norm.ChannelSum _ -> {
        int c = in.getFirst().size(-1);
        add(inputs.getFirst(), map(in.getFirst().type(), i -> dy.getFirst().values()[i % c]));
      }
      case Op.Variable _,
          Random.PhiloxNormal _,
          Random.PhiloxLabels _,
          Random.Boxes _,
          Random.GatherLabels _,
          Quantization.MinMax _,
          Elementwise.SignPerturb _,
          Norm.BnRunningStep _,
          Quantization.RangeTrackStep _,
          Optimizer.AdamStep _,
          Optimizer.SgdStep _,
          Optimizer.SampleStep _,
          Optimizer.KeepBestStep _,
          Elementwise.CounterStep _ -> {
        // Sources, and what the method treats as constant.
      }
      case Convolution.Conv2dDataGrad _,
          Convolution.Conv2dWeightGrad _,
          Convolution.DepthwiseConv2dDataGrad _,
          Convolution.DepthwiseConv2dWeightGrad _,
          Norm.BnActGrad _,
          Convolution.LinearDataGrad _,
          Convolution.LinearWeightGrad _,
          Pooling.GlobalAvgPoolGrad _,
          Pooling.MaxPoolGrad _,
          Pooling.UpsampleGrad _,
          Elementwise.EmbeddingGrad _,
          Pooling.ShortcutGrad _,
          Random.CropFlipGrad _,
          Elementwise.TanhGrad _,
          Elementwise.ActivationGrad _,
          Elementwise.PReluGrad _,
          Pooling.PixelSum _,
          Pooling.AveragePoolGrad _,
          Pooling.SliceGrad _,
          Pooling.FlattenGrad _,
          Quantization.FakeQuantGrad _ ->
          throw new IllegalArgumentException("second derivative of " + node);
    }
  }

  /** u to batch mean and biased variance. */
  private static Tensor statistics(Tensor x, Tensor dmean, Tensor dvariance) {
    int c = x.size(-1);
    double rows = (double) x.count() / c;
    double[] mean = Oracle.evaluate(new Norm.BnStats(), List.of(x)).getFirst().values();
    return map(
        x.type(),
        i ->
            (dmean.values()[i % c] + 2 * dvariance.values()[i % c] * (x.values()[i] - mean[i % c]))
                / rows);
  }

  private void batchNorm(Norm.BnAct op, Node node, List<Tensor> in, List<Tensor> dy) {
    Tensor u = in.getFirst();
    int c = u.size(3);
    int area = u.size(1) * u.size(2);
    double[] mask = trace.of(node.output(Norm.BnAct.MASK)).values();
    double[] mean = in.get(1).values();
    double[] variance = in.get(2).values();
    Tensor du = Tensor.zeros(u.type());
    Tensor dresidual = Tensor.zeros(u.type());
    Tensor dmean = Tensor.zeros(in.get(1).type());
    Tensor dvariance = Tensor.zeros(in.get(2).type());
    Tensor dgamma = Tensor.zeros(in.get(1).type());
    Tensor dbeta = Tensor.zeros(in.get(1).type());
    for (int i = 0; i < u.count(); i++) {
      int channel = i % c;
      double gamma = op.affine() ? in.get(3).values()[channel] : 1;
      double beta = op.affine() ? in.get(4).values()[channel] : 0;
      double inverse = 1 / Math.sqrt(variance[channel] + op.epsilon());
      double centered = u.values()[i] - mean[channel];
      double f = centered * inverse * gamma + beta;
      double dv = dy.get(Norm.BnAct.Y).values()[i] * (mask[i] != 0 ? 1 : op.slope());
      double df =
          dv + dy.get(Norm.BnAct.ATTENTION).values()[i / (area * c) * c + channel] * 2 * f / area;
      dresidual.values()[i] = dv;
      du.values()[i] = df * gamma * inverse;
      dmean.values()[channel] -= df * gamma * inverse;
      dvariance.values()[channel] -= df * gamma * centered * Math.pow(inverse, 3) / 2;
      dgamma.values()[channel] += df * centered * inverse;
      dbeta.values()[channel] += df;
    }
    add(node.inputs().get(0), du);
    add(
        node.inputs().get(0),
        statistics(u, dy.get(Norm.BnAct.BATCH_MEAN), dy.get(Norm.BnAct.BATCH_VARIANCE)));
    add(node.inputs().get(1), dmean);
    add(node.inputs().get(2), dvariance);
    if (op.affine()) {
      add(node.inputs().get(3), dgamma);
      add(node.inputs().get(4), dbeta);
    }
    if (op.residual()) {
      add(node.inputs().get(op.residualInput()), dresidual);
    }
  }

  /** A gradient that a loss operation gives beside its value, times the cotangent of the value. */
  private Tensor ofLoss(Node node, List<Tensor> dy, int output) {
    Tensor gradient = trace.of(node.output(output));
    return combine(dy.getFirst().values()[0], gradient, 0, gradient);
  }

  private static Tensor one(Op op, Tensor... inputs) {
    return Oracle.evaluate(op, List.of(inputs)).getFirst();
  }

  private void add(Value value, Tensor gradient) {
    cotangents.merge(value, gradient, (a, b) -> combine(1, a, 1, b));
  }

  private static Tensor combine(double factorA, Tensor a, double factorB, Tensor b) {
    return map(a.type(), i -> factorA * a.values()[i] + factorB * b.values()[i]);
  }

  private static Tensor combine(Tensor a, Tensor b) {
    return map(a.type(), i -> a.values()[i] * b.values()[i]);
  }

  /** The gradient of what may have been repeated over pixels. */
  private static Tensor gathered(Tensor gradient, TensorType type) {
    return gradient.type().equals(type) ? gradient : one(new Pooling.PixelSum(), gradient);
  }

  private interface Element {
    double at(int index);
  }

  private static Tensor map(TensorType type, Element element) {
    Tensor result = Tensor.zeros(type);
    for (int i = 0; i < result.count(); i++) {
      result.values()[i] = element.at(i);
    }
    return result;
  }
}
