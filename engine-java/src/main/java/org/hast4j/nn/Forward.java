package org.hast4j.nn;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Storage;
import org.hast4j.graph.StraightThrough;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;

/**
 * Translates a topology into graph nodes, one fused node for each BatchNorm with the residual add,
 * ReLU and activation quantiser that follow it.
 *
 * @param logits [n, classes]
 * @param taps feature-alignment taps, in order
 * @param statistics batch statistics at every BatchNorm's input, in order; none in training mode
 * @param activations what every activation quantiser takes in, [n, h, w, c], in order; in mode
 *     {@link Mode.Observed} only
 */
public record Forward(
    Value logits, List<Tap> taps, List<Statistics> statistics, List<Value> activations) {

  /** Attention [n, c] of one tap's features and their area, height times width. */
  public record Tap(Value attention, long area) {}

  /**
   * Mean and variance of the input of the BatchNorm of this name beside its running ones, and the
   * values behind each.
   */
  public record Statistics(
      String name,
      Value mean,
      Value variance,
      Value runningMean,
      Value runningVariance,
      long rows) {}

  /**
   * Appends a forward pass to a graph.
   *
   * @param owner names the pass in messages and profiles: teacher, student, ..
   * @param parameters values by name, as {@link Parameters#values} gives them
   * @param image [n, h, w, c], normalised
   */
  public static Forward of(
      Graph graph,
      String owner,
      Topology topology,
      Map<String, Value> parameters,
      Value image,
      Mode mode) {
    return new Builder(graph, owner, topology, parameters, mode).build(image);
  }

  private static final class Builder {
    private final Graph graph;
    private final String owner;
    private final Topology topology;
    private final Map<String, Value> parameters;
    private final Mode mode;
    private final Map<Integer, Value> values = new HashMap<>();
    private final Map<Integer, Node> norms = new HashMap<>();
    private final List<Statistics> statistics = new ArrayList<>();
    private final List<Value> activations = new ArrayList<>();
    private int quantiser;

    Builder(
        Graph graph, String owner, Topology topology, Map<String, Value> parameters, Mode mode) {
      this.graph = graph;
      this.owner = owner;
      this.topology = topology;
      this.parameters = parameters;
      this.mode = mode;
    }

    Forward build(Value image) {
      TensorType expected =
          TensorType.f32(image.size(0), topology.height(), topology.width(), topology.channels());
      if (!image.type().equals(expected)) {
        throw new IllegalArgumentException(
            "%s takes images of %s, got %s".formatted(topology.name(), expected, image.type()));
      }
      values.put(Topology.IMAGE, image);
      for (int i = 0; i < topology.units().size(); i++) {
        if (!values.containsKey(i)) {
          build(i);
        }
      }
      List<Tap> taps = topology.taps().stream().map(this::tap).toList();
      graph.part("");
      return new Forward(
          values.get(topology.units().size() - 1),
          taps,
          List.copyOf(statistics),
          List.copyOf(activations));
    }

    private Tap tap(int unit) {
      Value y = norms.get(unit).output(Norm.BnAct.Y);
      return new Tap(norms.get(unit).output(Norm.BnAct.ATTENTION), y.size(1) * y.size(2));
    }

    private void build(int index) {
      Topology.Unit unit = topology.units().get(index);
      graph.part(owner + " " + unit.name());
      Value x = values.get(unit.inputs().getFirst());
      Value y =
          switch (unit.layer()) {
            case Layer.Convolution conv ->
                graph.value(
                    new Convolution.Conv2d(conv.stride(), conv.pad()),
                    x,
                    parameter(unit, "weight"));
            case Layer.DepthwiseConvolution conv ->
                graph.value(
                    new Convolution.DepthwiseConv2d(conv.stride(), conv.pad()),
                    x,
                    parameter(unit, "weight"));
            case Layer.BatchNorm norm -> batchNorm(index, unit, norm, x);
            case Layer.Relu _ ->
                throw new IllegalArgumentException(
                    "%s: %s does not follow a BatchNorm or a residual add of one, which is not supported"
                        .formatted(topology.name(), unit.name()));
            case Layer.Add _ ->
                graph.value(new Elementwise.Add(), x, values.get(unit.inputs().get(1)));
            case Layer.PadShortcut pad ->
                graph.value(new Pooling.Shortcut(pad.stride(), pad.channels()), x);
            case Layer.MaxPool pool ->
                graph.value(new Pooling.MaxPool(pool.window(), pool.stride(), pool.pad()), x);
            case Layer.GlobalAveragePool _ -> graph.value(new Pooling.GlobalAvgPool(), x);
            case Layer.Linear _ ->
                graph.value(
                    new Convolution.Linear(),
                    x,
                    parameter(unit, "weight"),
                    parameter(unit, "bias"));
          };
      values.putIfAbsent(index, y);
    }

    private Value parameter(Topology.Unit unit, String name) {
      return parameters.get(unit.name() + "." + name);
    }

    /**
     * A BatchNorm, fused with its residual add if it is the last operand computed, and with the
     * ReLU behind.
     */
    private Value batchNorm(int index, Topology.Unit unit, Layer.BatchNorm norm, Value u) {
      int end = index;
      Value addend = null;
      Integer next = onlyConsumer(end);
      if (next != null && topology.units().get(next).layer() instanceof Layer.Add) {
        List<Integer> operands = topology.units().get(next).inputs();
        int other = operands.get(0) == index ? operands.get(1) : operands.get(0);
        if (values.containsKey(other)) {
          addend = values.get(other);
          end = next;
          next = onlyConsumer(end);
        }
      }
      Layer.Relu relu =
          next != null && topology.units().get(next).layer() instanceof Layer.Relu found
              ? found
              : null;
      Value y = normalise(index, unit, norm, u, addend, relu);
      values.put(index, y);
      values.put(end, y);
      if (relu != null) {
        values.put(next, y);
      }
      return y;
    }

    private Integer onlyConsumer(int unit) {
      List<Integer> consumers = topology.consumers(unit);
      return consumers.size() == 1 ? consumers.getFirst() : null;
    }

    private Value normalise(
        int index,
        Topology.Unit unit,
        Layer.BatchNorm norm,
        Value u,
        Value addend,
        Layer.Relu relu) {
      Value runningMean = parameter(unit, "running_mean");
      Value runningVariance = parameter(unit, "running_var");
      long rows = u.type().shape().elements() / norm.channels();
      Value mean = runningMean;
      Value variance = runningVariance;
      boolean training = false;
      if (mode instanceof Mode.Training train) {
        Node batch = graph.apply(new Norm.BnStats(), u);
        mean = batch.output(0);
        variance = batch.output(1);
        training = true;
        graph.apply(
            new Norm.BnRunningStep(train.momentum(), rows),
            runningMean,
            runningVariance,
            mean,
            variance);
      }
      List<Value> inputs =
          new ArrayList<>(
              List.of(u, mean, variance, parameter(unit, "weight"), parameter(unit, "bias")));
      if (addend != null) {
        inputs.add(addend);
      }
      int bits = 0;
      StraightThrough straightThrough = StraightThrough.EVERYWHERE;
      if (relu != null && mode instanceof Mode.Quantised quantised) {
        bits = quantised.bits();
        straightThrough = quantised.straightThrough();
        inputs.add(nextRange(quantised.ranges()));
      }
      Norm.BnAct op =
          new Norm.BnAct(
              true,
              addend != null,
              bits,
              straightThrough,
              relu != null ? 0 : 1,
              relu != null ? relu.ceiling() : Float.POSITIVE_INFINITY,
              norm.epsilon(),
              training);
      Node node = graph.apply(op, inputs.toArray(Value[]::new));
      norms.put(index, node);
      if (!training) {
        statistics.add(
            new Statistics(
                unit.name(),
                node.output(Norm.BnAct.BATCH_MEAN),
                node.output(Norm.BnAct.BATCH_VARIANCE),
                runningMean,
                runningVariance,
                rows));
      }
      Value y = node.output(Norm.BnAct.Y);
      if (relu == null) {
        return y;
      }
      return switch (mode) {
        case Mode.Calibrating calibrating -> track(y, calibrating);
        case Mode.Observed observed -> {
          activations.add(y);
          yield graph.value(
              new Quantization.FakeQuant(observed.bits()), y, nextRange(observed.ranges()));
        }
        case Mode.Evaluation _, Mode.Quantised _, Mode.Training _ -> y;
      };
    }

    private Value nextRange(Storage ranges) {
      return graph.variable(ranges, quantiser++ * 2L * Float.BYTES, TensorType.f32(2));
    }

    private Value track(Value y, Mode.Calibrating calibrating) {
      Value state =
          graph.variable(calibrating.states(), quantiser * 3L * Float.BYTES, TensorType.f32(3));
      Value range = nextRange(calibrating.ranges());
      Value batch = graph.value(new Quantization.MinMax(), y);
      graph.apply(
          new Quantization.RangeTrackStep(calibrating.momentum(), calibrating.rule()),
          range,
          state,
          batch);
      return graph.value(new Quantization.FakeQuant(calibrating.bits()), y, range);
    }
  }
}
