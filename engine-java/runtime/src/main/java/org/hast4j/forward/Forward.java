package org.hast4j.forward;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.graph.rewrite.Fusion;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.nn.AlignmentTaps;
import org.hast4j.tensor.StraightThrough;
import org.hast4j.tensor.Window;

/**
 * Translates a model into graph nodes, one to one, and has them {@linkplain Fusion fused}.
 *
 * @param logits [n, classes]
 * @param taps feature-alignment taps, in order
 * @param statistics batch statistics at every BatchNorm's input, in order; none in training mode
 * @param activations what every activation quantiser takes in, [n, h, w, c], by layer; in mode
 *     {@link Mode.Observed} only
 */
public record Forward(
    Value logits, List<Tap> taps, List<Statistics> statistics, Map<String, Value> activations) {

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
      long rows) {
    private Statistics mapped(Map<Value, Value> fused) {
      return new Statistics(
          name, fused.get(mean), fused.get(variance), runningMean, runningVariance, rows);
    }
  }

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
      Model model,
      Map<String, Value> parameters,
      Value image,
      Mode mode) {
    Graph plain = new Graph();
    Forward forward = new Builder(plain, owner, model, parameters, mode).build(image);
    Set<Value> needed = new HashSet<>(forward.activations.values());
    needed.add(forward.logits);
    return forward.mapped(Fusion.append(plain, graph, needed));
  }

  private Forward mapped(Map<Value, Value> fused) {
    Map<String, Value> inputs = new LinkedHashMap<>(activations);
    // What stands in front of the model, its image for one, is no node of it.
    inputs.replaceAll((_, value) -> fused.getOrDefault(value, value));
    return new Forward(
        fused.get(logits),
        taps.stream().map(tap -> new Tap(fused.get(tap.attention), tap.area)).toList(),
        statistics.stream().map(norm -> norm.mapped(fused)).toList(),
        Collections.unmodifiableMap(inputs));
  }

  /** The type of n images that a model takes, [n, h, w, c]. */
  public static TensorType images(Model model, long n) {
    Model.Input input = model.input();
    return TensorType.f32(n, input.height(), input.width(), input.channels());
  }

  private static final class Builder {
    private final Graph graph;
    private final String owner;
    private final Model model;
    private final Map<String, Value> parameters;
    private final Mode mode;
    private final Map<String, Value> values = new HashMap<>();
    private final Map<String, Node> norms = new HashMap<>();
    private final List<Statistics> statistics = new ArrayList<>();
    private final Map<String, Value> activations = new LinkedHashMap<>();

    Builder(Graph graph, String owner, Model model, Map<String, Value> parameters, Mode mode) {
      this.graph = graph;
      this.owner = owner;
      this.model = model;
      this.parameters = parameters;
      this.mode = mode;
    }

    Forward build(Value image) {
      TensorType expected = images(model, image.size(0));
      if (!image.type().equals(expected)) {
        throw new IllegalArgumentException(
            "%s takes images of %s, got %s".formatted(model.name(), expected, image.type()));
      }
      values.put(model.input().name(), image);
      for (Layer layer : model.layers()) {
        graph.part(owner + " " + layer.name());
        values.put(layer.name(), output(layer));
      }
      List<Tap> taps = AlignmentTaps.of(model).stream().map(this::tap).toList();
      return new Forward(values.get(model.output()), taps, statistics, activations);
    }

    private Tap tap(String norm) {
      Value y = norms.get(norm).output(Norm.BnAct.Y);
      return new Tap(norms.get(norm).output(Norm.BnAct.ATTENTION), y.size(1) * y.size(2));
    }

    private Value output(Layer layer) {
      Value x = values.get(layer.input());
      return switch (layer.op()) {
        case Operator.Convolution conv -> withBias(convolution(conv), layer, x, conv.bias());
        case Operator.Linear linear -> withBias(new Convolution.Linear(), layer, x, linear.bias());
        case Operator.BatchNorm norm -> batchNorm(layer, norm, x);
        case Operator.Activation activation ->
            quantized(layer, graph.value(new Elementwise.Activation(activation.function()), x));
        case Operator.PRelu _ ->
            quantized(layer, graph.value(new Elementwise.PRelu(), x, weight(layer)));
        case Operator.Add _ -> graph.value(new Elementwise.Add(), x, second(layer, x));
        case Operator.Mul _ -> graph.value(new Elementwise.Mul(), x, second(layer, x));
        case Operator.Concat _ ->
            graph.value(
                new Pooling.Concat(),
                layer.inputs().stream().map(values::get).toArray(Value[]::new));
        case Operator.Pool pool -> graph.value(pool(pool), x);
        case Operator.GlobalAveragePool _ -> graph.value(new Pooling.GlobalAvgPool(), x);
        case Operator.Flatten _ ->
            x.type().shape().rank() == 2 ? x : graph.value(new Pooling.Flatten(), x);
        case Operator.ChannelPad pad ->
            graph.value(new Pooling.Shortcut(pad.stride(), pad.channels()), x);
        case Operator.ChannelShuffle shuffle ->
            graph.value(new Pooling.ChannelShuffle(shuffle.groups()), x);
        case Operator.Slice slice ->
            graph.value(
                new Pooling.Slice(Math.toIntExact(slice.begin()), Math.toIntExact(slice.end())), x);
      };
    }

    /** A layer with weights, on its quantised input. */
    private Value withBias(Op op, Layer layer, Value x, boolean bias) {
      Value input = quantized(layer, x);
      return bias
          ? graph.value(op, input, weight(layer), parameter(layer, "bias"))
          : graph.value(op, input, weight(layer));
    }

    /** The second input of a layer; one value a channel without its pixel. */
    private Value second(Layer layer, Value x) {
      Value other = values.get(layer.inputs().get(1));
      return other.type().equals(x.type()) || other.type().shape().rank() == 2
          ? other
          : graph.value(new Op.Reshape(TensorType.f32(other.size(0), other.size(3))), other);
    }

    private static Op convolution(Operator.Convolution conv) {
      return conv.isDepthwise()
          ? new Convolution.DepthwiseConv2d(conv.window().movement())
          : new Convolution.Conv2d(conv.window().movement(), conv.groups());
    }

    private static Op pool(Operator.Pool pool) {
      int r = pool.window().kernel().height();
      int s = pool.window().kernel().width();
      Window window = pool.window().movement();
      return switch (pool.kind()) {
        case MAX -> new Pooling.MaxPool(r, s, window);
        case AVERAGE -> new Pooling.AveragePool(r, s, window, true);
        case AVERAGE_UNPADDED -> new Pooling.AveragePool(r, s, window, false);
      };
    }

    private Value weight(Layer layer) {
      return parameter(layer, "weight");
    }

    private Value parameter(Layer layer, String name) {
      return parameters.get(layer.parameter(name));
    }

    private Value batchNorm(Layer layer, Operator.BatchNorm norm, Value x) {
      boolean vector = x.type().shape().rank() == 2;
      Value u =
          vector ? graph.value(new Op.Reshape(TensorType.f32(x.size(0), 1, 1, x.size(1))), x) : x;
      Value runningMean = parameter(layer, "running_mean");
      Value runningVariance = parameter(layer, "running_var");
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
      Norm.BnAct op = new Norm.BnAct(true, false, 0, 1, norm.epsilon(), training);
      Node node =
          graph.apply(op, u, mean, variance, parameter(layer, "weight"), parameter(layer, "bias"));
      norms.put(layer.name(), node);
      if (!training) {
        statistics.add(
            new Statistics(
                layer.name(),
                node.output(Norm.BnAct.BATCH_MEAN),
                node.output(Norm.BnAct.BATCH_VARIANCE),
                runningMean,
                runningVariance,
                rows));
      }
      Value y = node.output(Norm.BnAct.Y);
      return vector ? graph.value(new Op.Reshape(x.type()), y) : y;
    }

    /** A value through the activation quantiser of a layer, if it has one in this mode. */
    private Value quantized(Layer layer, Value x) {
      return switch (mode) {
        case Mode.Quantized given when has(given.quantizers(), layer) ->
            quantized(layer, x, given.quantizers(), given.straightThrough());
        case Mode.Observed given when has(given.quantizers(), layer) -> {
          activations.put(layer.name(), x);
          yield quantized(layer, x, given.quantizers(), StraightThrough.EVERYWHERE);
        }
        case Mode.Calibrating given when has(given.quantizers(), layer) ->
            track(layer.name(), x, given);
        case Mode.Quantized _,
            Mode.Observed _,
            Mode.Calibrating _,
            Mode.Evaluation _,
            Mode.Training _ ->
            x;
      };
    }

    private static boolean has(ActivationQuantizers quantizers, Layer layer) {
      return quantizers.bits().containsKey(layer.name());
    }

    private Value quantized(
        Layer layer, Value x, ActivationQuantizers quantizers, StraightThrough straightThrough) {
      int bits = quantizers.bits().get(layer.name());
      return graph.value(
          new Quantization.FakeQuant(bits, straightThrough),
          x,
          quantizers.range(graph, layer.name()));
    }

    private Value track(String layer, Value y, Mode.Calibrating calibrating) {
      ActivationQuantizers quantizers = calibrating.quantizers();
      Value state =
          graph.variable(
              calibrating.states(), quantizers.row(layer) * 3L * Float.BYTES, TensorType.f32(3));
      Value range = quantizers.range(graph, layer);
      Value batch = graph.value(new Quantization.MinMax(), y);
      graph.apply(
          new Quantization.RangeTrackStep(calibrating.momentum(), calibrating.rule()),
          range,
          state,
          batch);
      return graph.value(new Quantization.FakeQuant(quantizers.bits().get(layer)), y, range);
    }
  }
}
