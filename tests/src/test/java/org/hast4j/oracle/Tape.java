package org.hast4j.oracle;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Op;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;

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
      case Op.Conv2d op -> {
        add(
            inputs.get(0),
            one(
                new Op.Conv2dDataGrad(op.stride(), op.pad(), in.get(0).type(), false),
                dy.get(0),
                in.get(1)));
        add(
            inputs.get(1),
            one(
                new Op.Conv2dWeightGrad(op.stride(), op.pad(), in.get(1).type()),
                dy.get(0),
                in.get(0)));
        if (in.size() == 3) {
          add(inputs.get(2), one(new Op.ChannelSum(), dy.get(0)));
        }
      }
      case Op.DepthwiseConv2d op -> {
        add(
            inputs.get(0),
            one(
                new Op.DepthwiseConv2dDataGrad(op.stride(), op.pad(), in.get(0).type(), false),
                dy.get(0),
                in.get(1)));
        add(
            inputs.get(1),
            one(
                new Op.DepthwiseConv2dWeightGrad(op.stride(), op.pad(), in.get(1).type()),
                dy.get(0),
                in.get(0)));
      }
      case Op.BnStats _ -> add(inputs.getFirst(), statistics(in.getFirst(), dy.get(0), dy.get(1)));
      case Op.BnAct op -> batchNorm(op, node, in, dy);
      case Op.BnStatsLoss op -> {
        double scale = op.weight() * 2.0 / in.get(0).count() * dy.get(0).values()[0];
        add(inputs.get(0), combine(scale, in.get(0), -scale, in.get(2)));
        add(inputs.get(1), combine(scale, in.get(1), -scale, in.get(3)));
        add(inputs.get(2), combine(-scale, in.get(0), scale, in.get(2)));
        add(inputs.get(3), combine(-scale, in.get(1), scale, in.get(3)));
        if (op.accumulates()) {
          add(inputs.get(4), dy.get(0));
        }
      }
      case Op.HardCrossEntropy _ -> add(inputs.get(0), ofLoss(node, dy, 1));
      case Op.DistillKl _ -> {
        add(inputs.get(0), ofLoss(node, dy, 1));
        add(inputs.get(1), ofLoss(node, dy, 2));
      }
      case Op.FeatureAlign op -> {
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
      case Op.FakeQuant _, Op.FakeQuantChannel _ -> add(inputs.get(0), dy.get(0));
      case Op.Reshape _ -> add(inputs.get(0), new Tensor(in.get(0).type(), dy.get(0).values()));
      case Op.Linear _ -> {
        add(inputs.get(0), one(new Op.LinearDataGrad(), dy.get(0), in.get(1)));
        List<Tensor> gradients =
            Oracle.evaluate(new Op.LinearWeightGrad(), List.of(dy.get(0), in.get(0)));
        add(inputs.get(1), gradients.get(0));
        if (in.size() == 3) {
          add(inputs.get(2), gradients.get(1));
        }
      }
      case Op.GlobalAvgPool _ ->
          add(inputs.get(0), one(new Op.GlobalAvgPoolGrad(in.get(0).type()), dy.get(0)));
      case Op.MaxPool op ->
          add(
              inputs.get(0),
              one(
                  new Op.MaxPoolGrad(op, in.get(0).type()),
                  dy.get(Op.MaxPool.Y),
                  trace.of(node.output(Op.MaxPool.INDEX))));
      case Op.Upsample _ ->
          add(inputs.get(0), one(new Op.UpsampleGrad(in.get(0).type()), dy.get(0)));
      case Op.Shortcut op ->
          add(inputs.get(0), one(new Op.ShortcutGrad(op.stride(), in.get(0).type()), dy.get(0)));
      case Op.Embedding _ ->
          add(
              inputs.get(0),
              one(new Op.EmbeddingGrad(in.get(0).type()), dy.get(0), in.get(1), in.get(2)));
      case Op.CropFlip _ ->
          add(inputs.get(0), one(new Op.CropFlipGrad(in.get(0).type()), dy.get(0), in.get(1)));
      case Op.Tanh _ ->
          add(inputs.get(0), one(new Op.TanhGrad(), dy.get(0), trace.of(node.output(0))));
      case Op.Scale op -> add(inputs.get(0), one(op, dy.get(0)));
      case Op.Add _ -> {
        add(inputs.get(0), dy.get(0));
        add(inputs.get(1), dy.get(0));
      }
      case Op.ChannelSum _ -> {
        int c = in.getFirst().size(-1);
        add(inputs.getFirst(), map(in.getFirst().type(), i -> dy.getFirst().values()[i % c]));
      }
      case Op.Variable _,
          Op.PhiloxNormal _,
          Op.PhiloxLabels _,
          Op.Boxes _,
          Op.GatherLabels _,
          Op.MinMax _,
          Op.SignPerturb _,
          Op.BnRunningStep _,
          Op.RangeTrackStep _,
          Op.AdamStep _,
          Op.SgdStep _,
          Op.SampleStep _,
          Op.KeepBestStep _,
          Op.CounterStep _ -> {
        // Sources, and what the method treats as constant.
      }
      case Op.Conv2dDataGrad _,
          Op.Conv2dWeightGrad _,
          Op.DepthwiseConv2dDataGrad _,
          Op.DepthwiseConv2dWeightGrad _,
          Op.BnActGrad _,
          Op.LinearDataGrad _,
          Op.LinearWeightGrad _,
          Op.GlobalAvgPoolGrad _,
          Op.MaxPoolGrad _,
          Op.UpsampleGrad _,
          Op.EmbeddingGrad _,
          Op.ShortcutGrad _,
          Op.CropFlipGrad _,
          Op.TanhGrad _ ->
          throw new IllegalArgumentException("second derivative of " + node);
    }
  }

  /** u to batch mean and biased variance. */
  private static Tensor statistics(Tensor x, Tensor dmean, Tensor dvariance) {
    int c = x.size(-1);
    double rows = (double) x.count() / c;
    double[] mean = Oracle.evaluate(new Op.BnStats(), List.of(x)).getFirst().values();
    return map(
        x.type(),
        i ->
            (dmean.values()[i % c] + 2 * dvariance.values()[i % c] * (x.values()[i] - mean[i % c]))
                / rows);
  }

  private void batchNorm(Op.BnAct op, Node node, List<Tensor> in, List<Tensor> dy) {
    Tensor u = in.getFirst();
    int c = u.size(3);
    int area = u.size(1) * u.size(2);
    double[] mask = trace.of(node.output(Op.BnAct.MASK)).values();
    double[] mean = in.get(1).values();
    double[] variance = in.get(2).values();
    Tensor du = Tensor.zeros(u.type());
    Tensor daddend = Tensor.zeros(u.type());
    Tensor dmean = Tensor.zeros(in.get(1).type());
    Tensor dvariance = Tensor.zeros(in.get(2).type());
    Tensor dgamma = Tensor.zeros(in.get(1).type());
    Tensor dbeta = Tensor.zeros(in.get(1).type());
    for (int i = 0; i < u.count(); i++) {
      int channel = i % c;
      double gamma = op.affine() ? in.get(3).values()[channel] : 1;
      double beta = op.affine() ? in.get(4).values()[channel] : 0;
      double inverse = 1 / Math.sqrt(variance[channel] + op.epsilon());
      double centred = u.values()[i] - mean[channel];
      double f = centred * inverse * gamma + beta;
      double dv = dy.get(Op.BnAct.Y).values()[i] * (mask[i] != 0 ? 1 : op.slope());
      double df =
          dv + dy.get(Op.BnAct.ATTENTION).values()[i / (area * c) * c + channel] * 2 * f / area;
      daddend.values()[i] = dv;
      du.values()[i] = df * gamma * inverse;
      dmean.values()[channel] -= df * gamma * inverse;
      dvariance.values()[channel] -= df * gamma * centred * Math.pow(inverse, 3) / 2;
      dgamma.values()[channel] += df * centred * inverse;
      dbeta.values()[channel] += df;
    }
    add(node.inputs().get(0), du);
    add(
        node.inputs().get(0),
        statistics(u, dy.get(Op.BnAct.BATCH_MEAN), dy.get(Op.BnAct.BATCH_VARIANCE)));
    add(node.inputs().get(1), dmean);
    add(node.inputs().get(2), dvariance);
    if (op.affine()) {
      add(node.inputs().get(3), dgamma);
      add(node.inputs().get(4), dbeta);
    }
    if (op.addend()) {
      add(node.inputs().get(op.addendInput()), daddend);
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
