package org.hast4j.plan;

import static org.hast4j.graph.TensorType.f32;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.hast4j.exec.Memory;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Lane;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.oracle.Tensor;

/** A graph of random operations with everything needed to run it. */
public final class RandomGraph {
  static final TensorType TYPE = f32(2, 5, 5, 4);

  final Graph graph = new Graph();
  final Map<Storage, Tensor> inputs = new LinkedHashMap<>();
  final Map<Storage, Value> kept = new LinkedHashMap<>();
  private final RandomGenerator random;
  private final List<Value> values = new ArrayList<>();

  RandomGraph(long seed) {
    this(seed, false);
  }

  /**
   * A random graph.
   *
   * @param lanes spreads the nodes over the lanes, and has steps change an input that other nodes
   *     read
   */
  public RandomGraph(long seed, boolean lanes) {
    random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    values.add(variable(TYPE, 1));
    values.add(variable(TYPE, 1));
    Value weight = variable(f32(4, 3, 3, 4), 1.0 / 6);
    Value filters = variable(f32(4, 3, 3, 1), 1.0 / 3);
    int nodes = 1 + random.nextInt(25);
    for (int i = 0; i < nodes; i++) {
      if (lanes) {
        graph.lane(Lane.values()[random.nextInt(Lane.values().length)]);
        if (random.nextInt(8) == 0) {
          step();
        }
      }
      values.add(apply(weight, filters));
    }
    int results = 1 + random.nextInt(3);
    for (int i = 0; i < results; i++) {
      Value value = any();
      // The same value twice, or a variable itself, would be kept elsewhere.
      if (!kept.containsValue(value) && !(value.node().op() instanceof Op.Variable)) {
        keep(value);
      }
    }
    if (kept.isEmpty()) {
      keep(values.getLast());
    }
  }

  /** Moves the first input by any value. */
  private void step() {
    Value rate = variable(f32(1), 1);
    graph.apply(
        new Optimizer.SgdStep(.9f, 0, true), values.getFirst(), variable(TYPE, 1), any(), rate);
  }

  private void keep(Value value) {
    Storage storage = Storage.of("result", value.type());
    graph.keep(value, storage);
    kept.put(storage, value);
  }

  private Value variable(TensorType type, double deviation) {
    Storage storage = Storage.of("input", type);
    inputs.put(storage, Tensor.fill(type, () -> deviation * random.nextGaussian()));
    return graph.variable(storage, type);
  }

  /** Recent values most of the time, so that lifetimes end. */
  private Value any() {
    int back = random.nextInt(3) == 0 ? values.size() : Math.min(3, values.size());
    return values.get(values.size() - 1 - random.nextInt(back));
  }

  private Value apply(Value weight, Value filters) {
    return switch (random.nextInt(11)) {
      case 0 -> graph.value(new Elementwise.Tanh(), any());
      case 1 -> graph.value(new Elementwise.Scale(.7f), any());
      case 2 -> perturbed();
      case 3 ->
          graph.value(
              new Elementwise.TanhGrad(), any(), graph.value(new Elementwise.Tanh(), any()));
      case 4 -> graph.value(new Convolution.Conv2d(1, 1), any(), weight);
      case 5 ->
          graph.value(
              new Convolution.Conv2dDataGrad(new Convolution.Conv2d(1, 1), TYPE, true),
              any(),
              weight,
              any());
      case 6 -> graph.value(new Op.Reshape(TYPE), graph.value(new Op.Reshape(f32(200)), any()));
      case 7 -> normalized();
      case 8 -> graph.value(new Convolution.DepthwiseConv2d(1, 1), any(), filters);
      case 9 ->
          graph.value(
              new Convolution.DepthwiseConv2dDataGrad(
                  new Convolution.DepthwiseConv2d(1, 1), TYPE, true),
              any(),
              filters,
              any());
      default -> graph.value(new Elementwise.Add(), any(), any());
    };
  }

  /** Signs only of what is exact in single precision, so that no rounding decides one. */
  private Value perturbed() {
    Value exact = graph.value(new Elementwise.Scale(.7f), values.get(random.nextInt(2)));
    return graph.value(new Elementwise.SignPerturb(.1f), any(), exact);
  }

  private Value normalized() {
    Value u = any();
    Node statistics = graph.apply(new Norm.BnStats(), u);
    // Epsilon 1 keeps a channel that is nearly constant from being blown up; slope 1 has no kink
    // that a rounding
    // could step over.
    Norm.BnAct op = new Norm.BnAct(false, true, 0, 1, 1, true);
    Node node = graph.apply(op, u, statistics.output(0), statistics.output(1), any());
    if (random.nextBoolean()) {
      return node.output(Norm.BnAct.Y);
    }
    return graph.value(
        new Norm.BnActGrad(op, true, false, false),
        any(),
        u,
        statistics.output(0),
        statistics.output(1),
        node.output(Norm.BnAct.MASK));
  }

  public Graph graph() {
    return graph;
  }

  /** Puts the inputs where the graph reads them. */
  public void upload(Memory memory) {
    inputs.forEach((storage, tensor) -> memory.buffer(storage).upload(0, tensor.floats()));
  }

  /** Everything a run leaves behind: the kept values, and the inputs, which steps change. */
  public List<Storage> results() {
    List<Storage> results = new ArrayList<>(kept.keySet());
    results.addAll(inputs.keySet());
    return results;
  }
}
