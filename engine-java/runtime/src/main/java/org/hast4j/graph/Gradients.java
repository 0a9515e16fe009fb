package org.hast4j.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * Reverse-mode differentiation as a rewrite: appends to a graph the nodes that compute the gradient
 * of a scalar loss. The exhaustive switch over {@link Op} makes an operation without a gradient
 * rule a compile error.
 *
 * <p>Loss operations compute their gradients in their forward pass, for a loss of weight 1; losses
 * are summed through their bases or {@link Elementwise.Add}. Quantisers pass gradients straight
 * through, activation quantisers where they say so. Three cotangents are carried in the form their
 * consumer takes: that of {@link Norm.BnAct#ATTENTION} as the factor of {@link Loss.FeatureAlign},
 * and those of batch means and variances together, at the mean, as the pair {@link
 * Loss.BnStatsLoss} gives.
 */
public final class Gradients {
  private final Graph graph;
  private final Set<Value> active = new HashSet<>();
  private final Map<Value, Value> cotangents = new HashMap<>();
  private final Set<Value> unit = new HashSet<>();

  private Gradients(Graph graph) {
    this.graph = graph;
  }

  /**
   * Gradients of a loss with respect to values of the graph.
   *
   * @param loss a loss operation's output, or a sum of several different ones
   * @param wrt variables or intermediate values
   * @return the gradient of each, in the order given
   * @throws IllegalArgumentException if the loss is no such sum, or does not depend on one of them
   *     differentiably
   */
  public static List<Value> of(Graph graph, Value loss, List<Value> wrt) {
    return new Gradients(graph).differentiate(loss, wrt);
  }

  private List<Value> differentiate(Value loss, List<Value> wrt) {
    // Only nodes between wrt and the loss matter; the graph grows while rules run, so take the list
    // first.
    List<Node> forward = new ArrayList<>(graph.nodes().subList(0, loss.node().id() + 1));
    active.addAll(wrt);
    for (Node node : forward) {
      if (node.inputs().stream().anyMatch(active::contains) && !node.op().effect()) {
        for (int i = 0; i < node.outputs().size(); i++) {
          active.add(node.output(i));
        }
      }
    }
    if (!loss.type().equals(TensorType.f32(1))) {
      throw new IllegalArgumentException(loss + " is no loss: one number is needed");
    }
    addUnit(loss);
    Lane lane = graph.lane(Lane.MAIN);
    for (Node node : forward.reversed()) {
      if (node.inputs().stream().anyMatch(active::contains)) {
        propagate(node);
      }
    }
    graph.lane(lane);
    List<Value> gradients = new ArrayList<>();
    for (Value value : wrt) {
      Value gradient = cotangents.get(value);
      if (gradient == null) {
        throw new IllegalArgumentException(loss + " does not depend differentiably on " + value);
      }
      gradients.add(gradient);
    }
    return gradients;
  }

  private void propagate(Node node) {
    checkLoss(node);
    graph.lane(node.lane());
    switch (node.op()) {
      case Convolution.Conv2d op ->
          convolution(
              node,
              weight -> new Convolution.Conv2dWeightGrad(op, weight),
              (x, accumulates) -> new Convolution.Conv2dDataGrad(op, x, accumulates));
      case Convolution.DepthwiseConv2d op ->
          convolution(
              node,
              weight -> new Convolution.DepthwiseConv2dWeightGrad(op, weight),
              (x, accumulates) -> new Convolution.DepthwiseConv2dDataGrad(op, x, accumulates));
      case Norm.BnAct op -> batchNorm(node, op);
      case Norm.BnStats _ -> pass(node.output(0), node.inputs().get(0), this::statisticsOnly);
      case Loss.BnStatsLoss op -> {
        if (unit.contains(node.output(0))) {
          add(node.inputs().get(0), node.output(1));
          passUnitToBase(node, op.accumulates());
        }
      }
      case Loss.HardCrossEntropy _ -> loss(node, 0);
      case Loss.DistillKl _ -> {
        loss(node, 0);
        loss(node, 1);
      }
      case Loss.FeatureAlign op -> {
        loss(node, 0);
        loss(node, 1);
        if (unit.contains(node.output(0))) {
          passUnitToBase(node, op.accumulates());
        }
      }
      case Quantization.FakeQuant op -> {
        switch (op.straightThrough()) {
          case EVERYWHERE -> pass(node.output(0), node.inputs().get(0), dy -> dy);
          case IN_RANGE ->
              adjoint(
                  node,
                  new Quantization.FakeQuantGrad(op),
                  node.inputs().get(0),
                  node.inputs().get(1));
        }
      }
      case Quantization.FakeQuantChannel _ -> pass(node.output(0), node.inputs().get(0), dy -> dy);
      case Op.Reshape _ -> adjoint(node, new Op.Reshape(first(node)));
      case Convolution.Linear _ -> linear(node);
      case Pooling.GlobalAvgPool _ -> adjoint(node, new Pooling.GlobalAvgPoolGrad(first(node)));
      case Pooling.MaxPool op ->
          adjoint(
              node, new Pooling.MaxPoolGrad(op, first(node)), node.output(Pooling.MaxPool.INDEX));
      case Pooling.Upsample _ -> adjoint(node, new Pooling.UpsampleGrad(first(node)));
      case Pooling.Shortcut op -> adjoint(node, new Pooling.ShortcutGrad(op.stride(), first(node)));
      case Elementwise.Embedding _ ->
          adjoint(
              node,
              new Elementwise.EmbeddingGrad(first(node)),
              node.inputs().get(1),
              node.inputs().get(2));
      case Random.CropFlip _ ->
          adjoint(node, new Random.CropFlipGrad(first(node)), node.inputs().get(1));
      case Elementwise.Tanh _ -> adjoint(node, new Elementwise.TanhGrad(), node.output(0));
      case Elementwise.Activation op ->
          adjoint(node, new Elementwise.ActivationGrad(op), node.inputs().get(0));
      case Elementwise.Scale op -> adjoint(node, op);
      case Elementwise.Add _ -> {
        for (Value input : node.inputs()) {
          if (unit.contains(node.output(0))) {
            addUnit(input);
          } else {
            pass(node.output(0), input, dy -> alike(dy, input) ? dy : summed(dy));
          }
        }
      }
      case Elementwise.Mul _ -> {
        Value a = node.inputs().get(0);
        Value b = node.inputs().get(1);
        pass(node.output(0), a, dy -> graph.value(new Elementwise.Mul(), dy, b));
        pass(
            node.output(0),
            b,
            dy -> alike(dy, b) ? graph.value(new Elementwise.Mul(), dy, a) : summed(dy, a));
      }
      case Elementwise.PRelu _ -> prelu(node);
      case Pooling.AveragePool op -> adjoint(node, new Pooling.AveragePoolGrad(op, first(node)));
      case Pooling.Concat _ -> concatenation(node);
      case Pooling.Slice op -> adjoint(node, new Pooling.SliceGrad(op, first(node)));
      case Pooling.ChannelShuffle op -> {
        long channels = first(node).shape().size(-1);
        adjoint(node, new Pooling.ChannelShuffle(Math.toIntExact(channels / op.groups())));
      }
      case Pooling.Flatten _ -> adjoint(node, new Pooling.FlattenGrad(first(node)));
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
        // Sources, and operations the method treats as constants.
      }
      case Convolution.Conv2dDataGrad _,
          Convolution.Conv2dWeightGrad _,
          Convolution.DepthwiseConv2dDataGrad _,
          Convolution.DepthwiseConv2dWeightGrad _,
          Norm.ChannelSum _,
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
          Quantization.FakeQuantGrad _ -> {
        if (hasCotangent(node)) {
          throw new IllegalArgumentException("second derivatives are not supported: " + node);
        }
      }
    }
  }

  /**
   * Refuses what is neither a plain sum of losses nor a loss: its gradient would silently be left
   * out.
   */
  private void checkLoss(Node node) {
    boolean loss = node.op() instanceof Loss;
    boolean reached = false;
    for (int i = 0; i < node.outputs().size(); i++) {
      if (unit.contains(node.output(i))) {
        reached = true;
        if (i > 0 || !(loss || node.op() instanceof Elementwise.Add)) {
          throw new IllegalArgumentException(
              node + " is not a loss: only plain sums of losses can be differentiated");
        }
      }
    }
    if ((loss || reached) && hasCotangent(node)) {
      throw new IllegalArgumentException(
          node + ": only plain sums of losses can be differentiated");
    }
  }

  private void addUnit(Value value) {
    if (!unit.add(value)) {
      throw new IllegalArgumentException(
          value + " is in the loss twice: only sums of different losses can be differentiated");
    }
  }

  private boolean hasCotangent(Node node) {
    for (int i = 0; i < node.outputs().size(); i++) {
      if (cotangents.containsKey(node.output(i))) {
        return true;
      }
    }
    return false;
  }

  private void convolution(
      Node node,
      Function<TensorType, Op> weightGradient,
      BiFunction<TensorType, Boolean, Op> dataGradient) {
    Value dy = cotangents.get(node.output(0));
    if (dy == null) {
      return;
    }
    Value x = node.inputs().get(0);
    Value weight = node.inputs().get(1);
    graph.part(partOf(node));
    // The data gradients behind wait for the one below, nobody for these.
    graph.lane(Lane.SIDE);
    if (active.contains(weight)) {
      add(weight, graph.value(weightGradient.apply(weight.type()), dy, x));
    }
    if (node.inputs().size() == 3 && active.contains(node.inputs().get(2))) {
      add(node.inputs().get(2), graph.value(new Norm.ChannelSum(), dy));
    }
    graph.lane(node.lane());
    if (active.contains(x)) {
      Value base = cotangents.get(x);
      Op grad = dataGradient.apply(x.type(), base != null);
      cotangents.put(
          x, base == null ? graph.value(grad, dy, weight) : graph.value(grad, dy, weight, base));
    }
  }

  private void batchNorm(Node node, Norm.BnAct op) {
    Value dy = cotangents.get(node.output(Norm.BnAct.Y));
    Value attention = cotangents.get(node.output(Norm.BnAct.ATTENTION));
    Value statistics = cotangents.get(node.output(Norm.BnAct.BATCH_MEAN));
    if (dy == null) {
      if (attention != null || statistics != null) {
        throw new IllegalArgumentException(
            node
                + ": its output does not reach the loss although its statistics do, which is not"
                + " supported");
      }
      return;
    }
    List<Value> inputs = new ArrayList<>(List.of(dy));
    inputs.addAll(node.inputs().subList(0, op.affine() ? 5 : 3));
    boolean mask = op.slope() != 1;
    if (mask) {
      inputs.add(node.output(Norm.BnAct.MASK));
    }
    if (attention != null) {
      inputs.add(attention);
    }
    if (statistics != null) {
      inputs.add(statistics);
      inputs.add(node.output(Norm.BnAct.BATCH_MEAN));
    }
    graph.part(partOf(node));
    Node gradient =
        graph.apply(
            new Norm.BnActGrad(op, mask, attention != null, statistics != null),
            inputs.toArray(Value[]::new));
    addIfActive(node.inputs().get(0), gradient.output(Norm.BnActGrad.DU));
    if (op.affine()) {
      addIfActive(node.inputs().get(3), gradient.output(Norm.BnActGrad.DGAMMA));
      addIfActive(node.inputs().get(4), gradient.output(Norm.BnActGrad.DBETA));
    }
    if (op.residual()) {
      addIfActive(node.inputs().get(op.residualInput()), gradient.output(Norm.BnActGrad.DRESIDUAL));
    }
  }

  private void linear(Node node) {
    Value dy = cotangents.get(node.output(0));
    if (dy == null) {
      return;
    }
    Value x = node.inputs().get(0);
    Value weight = node.inputs().get(1);
    graph.part(partOf(node));
    boolean bias = node.inputs().size() == 3 && active.contains(node.inputs().get(2));
    if (active.contains(weight) || bias) {
      Node gradient = graph.apply(new Convolution.LinearWeightGrad(), dy, x);
      addIfActive(weight, gradient.output(0));
      if (bias) {
        add(node.inputs().get(2), gradient.output(1));
      }
    }
    if (active.contains(x)) {
      add(x, graph.value(new Convolution.LinearDataGrad(), dy, weight));
    }
  }

  private void prelu(Node node) {
    Value dy = cotangents.get(node.output(0));
    if (dy == null) {
      return;
    }
    Value x = node.inputs().get(0);
    Value slope = node.inputs().get(1);
    graph.part(partOf(node));
    Node gradient = graph.apply(new Elementwise.PReluGrad(), dy, x, slope);
    addIfActive(x, gradient.output(Elementwise.PReluGrad.DX));
    addIfActive(slope, gradient.output(Elementwise.PReluGrad.DSLOPE));
  }

  private void concatenation(Node node) {
    int begin = 0;
    for (Value input : node.inputs()) {
      int end = begin + Math.toIntExact(input.type().shape().size(-1));
      Op slice = new Pooling.Slice(begin, end);
      pass(node.output(0), input, dy -> graph.value(slice, dy));
      begin = end;
    }
  }

  private static boolean alike(Value a, Value b) {
    return a.type().equals(b.type());
  }

  /** What reaches a value that was repeated over pixels. */
  private Value summed(Value... dyAndFactor) {
    return graph.value(new Pooling.PixelSum(), dyAndFactor);
  }

  /** Adds a loss operation's own gradient output to the input it belongs to. */
  private void loss(Node node, int input) {
    if (unit.contains(node.output(0))) {
      addIfActive(node.inputs().get(input), node.output(1 + input));
    }
  }

  private void passUnitToBase(Node node, boolean accumulates) {
    if (accumulates) {
      addUnit(node.inputs().getLast());
    }
  }

  private Value statisticsOnly(Value ignored) {
    // Training-mode statistics are differentiated inside BnActGrad; only a statistic loss on
    // BnStats would end here.
    throw new IllegalArgumentException(
        "take batch statistics for a loss from the batch norm, not from BnStats");
  }

  private interface Rule {
    Value cotangentOfInput(Value dy);
  }

  private void pass(Value output, Value input, Rule rule) {
    Value dy = cotangents.get(output);
    if (dy != null && active.contains(input)) {
      graph.part(partOf(output.node()));
      add(input, rule.cotangentOfInput(dy));
    }
  }

  /** Adds to the first input the gradient that an operation makes of (dy, the saved values). */
  private void adjoint(Node node, Op gradient, Value... saved) {
    pass(
        node.output(0),
        node.inputs().get(0),
        dy ->
            graph.value(
                gradient, Stream.concat(Stream.of(dy), Stream.of(saved)).toArray(Value[]::new)));
  }

  private static TensorType first(Node node) {
    return node.inputs().get(0).type();
  }

  private void addIfActive(Value value, Value gradient) {
    if (active.contains(value)) {
      add(value, gradient);
    }
  }

  private void add(Value value, Value gradient) {
    Value before = cotangents.get(value);
    cotangents.put(
        value, before == null ? gradient : graph.value(new Elementwise.Add(), before, gradient));
  }

  private static String partOf(Node node) {
    int space = node.label().indexOf(' ');
    return space < 0 ? "" : node.label().substring(space + 1);
  }
}
