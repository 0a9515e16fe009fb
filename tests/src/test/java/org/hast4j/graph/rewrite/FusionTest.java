package org.hast4j.graph.rewrite;

import static org.assertj.core.api.Assertions.assertThat;
import static org.hast4j.graph.TensorType.f32;

import java.nio.IntBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.statistics.Statistics;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.oracle.Tensor;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.ActivationFunction.Kind;
import org.hast4j.tensor.RangeRule;
import org.hast4j.tensor.StraightThrough;
import org.junit.jupiter.api.Test;

/** What is fused, what is not, and that nothing else changes. */
class FusionTest {
  private static final TensorType TYPE = f32(2, 3, 3, 5);
  private static final TensorType CHANNELS = f32(5);
  private static final TensorType RANGE = f32(2);

  private final Random random = new Random(1);
  private final Map<Storage, Tensor> inputs = new LinkedHashMap<>();
  private final Graph plain = new Graph();

  /** The law: fused equals unfused bit for bit, on random graphs, steps among them. */
  @Property(tries = 80)
  void aFusedGraphGivesTheBitsOfItsParts(@ForAll long seed) {
    random.setSeed(seed);
    inputs.clear();
    Graph parts = new Graph();
    List<Value> needed = grow(parts);
    Graph fused = new Graph();
    Map<Value, Value> values = Fusion.append(parts, fused, Set.copyOf(needed));
    Map<Storage, Value> kept = new LinkedHashMap<>();
    for (Value value : needed) {
      kept.put(Storage.of("kept", value.type()), value);
    }
    kept.forEach((storage, value) -> parts.keep(value, storage));
    kept.forEach((storage, value) -> fused.keep(values.get(value), storage));
    Statistics.label("fused")
        .collect(fused.nodes().size() < parts.nodes().size())
        .coverage(coverage -> coverage.check(true).percentage(percentage -> percentage > 50));
    assertThat(results(fused, kept.keySet())).isEqualTo(results(parts, kept.keySet()));
  }

  private List<Value> grow(Graph graph) {
    List<Value> values = new ArrayList<>();
    values.add(variable(graph, TYPE, random::nextGaussian));
    values.add(variable(graph, TYPE, random::nextGaussian));
    List<Value> ranges = new ArrayList<>();
    int nodes = 5 + random.nextInt(40);
    for (int i = 0; i < nodes; i++) {
      Value last = values.getLast();
      Value any = values.get(random.nextInt(values.size()));
      values.add(
          switch (random.nextInt(8)) {
            case 0, 1 -> norm(graph, random.nextInt(4) == 0 ? any : last);
            case 2 -> graph.value(new Elementwise.Add(), last, any);
            case 3 -> graph.value(new Elementwise.Add(), any, last);
            case 4 -> graph.value(activation(), last);
            case 5, 6 -> {
              Value range = variable(graph, RANGE, random::nextGaussian);
              ranges.add(range);
              yield graph.value(
                  new Quantization.FakeQuant(2 + random.nextInt(7), straightThrough()),
                  last,
                  range);
            }
            default -> graph.value(new Elementwise.Tanh(), last);
          });
      if (!ranges.isEmpty() && random.nextInt(12) == 0) {
        Value range = ranges.get(random.nextInt(ranges.size()));
        graph.apply(
            new Quantization.RangeTrackStep(.9f, RangeRule.CORRECT),
            range,
            variable(graph, f32(3), () -> 0),
            graph.value(new Quantization.MinMax(), last));
      }
    }
    return values.stream()
        .filter(value -> !(value.node().op() instanceof Op.Variable))
        .filter(value -> value == values.getLast() || random.nextInt(6) == 0)
        .toList();
  }

  private StraightThrough straightThrough() {
    return StraightThrough.values()[random.nextInt(StraightThrough.values().length)];
  }

  private Elementwise.Activation activation() {
    return switch (random.nextInt(5)) {
      case 0 ->
          new Elementwise.Activation(
              new ActivationFunction(Kind.RELU, .1f, Float.POSITIVE_INFINITY));
      case 1 -> new Elementwise.Activation(new ActivationFunction(Kind.RELU, 0, .5f));
      case 2 -> new Elementwise.Activation(new ActivationFunction(Kind.SILU));
      default -> new Elementwise.Activation(new ActivationFunction(Kind.RELU));
    };
  }

  private Value norm(Graph graph, Value u) {
    boolean affine = random.nextBoolean();
    boolean training = random.nextBoolean();
    List<Value> read = new ArrayList<>(List.of(u));
    if (training) {
      read.addAll(List.of(statistic(graph, u, 0), statistic(graph, u, 1)));
    } else {
      read.add(variable(graph, CHANNELS, random::nextGaussian));
      read.add(variable(graph, CHANNELS, () -> .1 + random.nextDouble()));
    }
    if (affine) {
      read.add(variable(graph, CHANNELS, random::nextGaussian));
      read.add(variable(graph, CHANNELS, random::nextGaussian));
    }
    Norm.BnAct op = new Norm.BnAct(affine, false, 0, 1, .5f, training);
    return graph.value(op, read.toArray(Value[]::new));
  }

  private static Value statistic(Graph graph, Value u, int output) {
    return graph.apply(new Norm.BnStats(), u).output(output);
  }

  private Value variable(Graph graph, TensorType type, Supplier<? extends Number> values) {
    Storage storage = Storage.of("input", type);
    inputs.put(storage, Tensor.fill(type, () -> values.get().doubleValue()));
    return graph.variable(storage, type);
  }

  private List<IntBuffer> results(Graph graph, Set<Storage> kept) {
    try (OpenDevice device = Platform.CPU.open(1);
        Memory memory = new Memory(device);
        Program program = Program.compile("program", graph, memory)) {
      inputs.forEach((storage, tensor) -> memory.buffer(storage).upload(0, tensor.floats()));
      program.run();
      return kept.stream().map(storage -> bits(memory.floats(storage))).toList();
    }
  }

  private static IntBuffer bits(float[] values) {
    int[] bits = new int[values.length];
    Arrays.setAll(bits, i -> Float.floatToRawIntBits(values[i]));
    return IntBuffer.wrap(bits);
  }

  private List<String> fused(Value... needed) {
    Graph target = new Graph();
    Map<Value, Value> values = Fusion.append(plain, target, Set.of(needed));
    assertThat(values).containsKeys(needed);
    return target.nodes().stream()
        .map(Node::op)
        .filter(op -> !(op instanceof Op.Variable))
        .map(FusionTest::name)
        .toList();
  }

  private static String name(Op op) {
    if (!(op instanceof Norm.BnAct norm)) {
      return op.getClass().getSimpleName();
    }
    return "BnAct"
        + (norm.residual() ? " add" : "")
        + (norm.slope() == 1 ? "" : " slope " + norm.slope())
        + (norm.ceiling() < Float.POSITIVE_INFINITY ? " ceiling " + norm.ceiling() : "")
        + (norm.bits() > 0 ? " bits " + norm.bits() + " " + norm.straightThrough() : "");
  }

  private Value x() {
    return variable(plain, TYPE, () -> 1);
  }

  private Value norm(Value u) {
    Value channels = variable(plain, CHANNELS, () -> 1);
    return plain.value(new Norm.BnAct(false, false, 0, 1, 1e-5f, false), u, channels, channels);
  }

  private Value quantized(Value x, StraightThrough straightThrough) {
    return plain.value(
        new Quantization.FakeQuant(3, straightThrough), x, variable(plain, RANGE, () -> 1));
  }

  private Value relu(Value x, float slope, float ceiling) {
    return plain.value(
        new Elementwise.Activation(new ActivationFunction(Kind.RELU, slope, ceiling)), x);
  }

  /** The second norm's other operand is there already, the first's is not. */
  @Test
  void theLastNormBeforeASumTakesItAlong() {
    Value sum = plain.value(new Elementwise.Add(), norm(x()), norm(x()));
    Value y = quantized(relu(sum, 0, Float.POSITIVE_INFINITY), StraightThrough.IN_RANGE);
    assertThat(fused(y)).containsExactly("BnAct", "BnAct add slope 0.0 bits 3 IN_RANGE");
  }

  @Test
  void aBoundedReluAndAQuantizerAloneAreFused() {
    Value bounded = relu(norm(x()), 0, 6);
    Value quantized = quantized(norm(x()), StraightThrough.EVERYWHERE);
    assertThat(fused(bounded, quantized))
        .containsExactly("BnAct slope 0.0 ceiling 6.0", "BnAct bits 3 EVERYWHERE");
  }

  /** The mask of a quantiser in range is there for a plain ReLU only. */
  @Test
  void aLeakyReluIsFusedWithoutAQuantizerInRange() {
    Value y = quantized(relu(norm(x()), .1f, Float.POSITIVE_INFINITY), StraightThrough.IN_RANGE);
    assertThat(fused(y)).containsExactly("BnAct slope 0.1", "FakeQuant");
  }

  @Test
  void whatTheKernelLacksStaysApart() {
    Value silu =
        plain.value(new Elementwise.Activation(new ActivationFunction(Kind.SILU)), norm(x()));
    Value mean = plain.value(new Pooling.GlobalAvgPool(), silu);
    Value overPixels = plain.value(new Elementwise.Add(), norm(silu), mean);
    assertThat(fused(overPixels))
        .containsExactly("BnAct", "Activation", "GlobalAvgPool", "BnAct", "Add");
  }

  @Test
  void whatOthersReadOrNeedStaysApart() {
    Value norm = norm(x());
    Value filters = variable(plain, f32(5, 1, 1, 5), () -> 1);
    Value conv = plain.value(new Convolution.Conv2d(1, 0), norm, filters);
    Value needed = norm(plain.value(new Elementwise.Add(), conv, norm));
    assertThat(fused(needed, relu(needed, 0, 6)))
        .containsExactly("BnAct", "Conv2d", "Add", "BnAct", "Activation");
  }

  /** A step between may move what the part behind it reads. */
  @Test
  void nothingIsMovedAcrossAStep() {
    Value norm = norm(x());
    Value range = variable(plain, RANGE, () -> 1);
    plain.apply(
        new Quantization.RangeTrackStep(.9f, RangeRule.CORRECT),
        range,
        variable(plain, f32(3), () -> 0),
        plain.value(new Quantization.MinMax(), x()));
    Value y = plain.value(new Quantization.FakeQuant(3), norm, range);
    assertThat(fused(y)).containsExactly("BnAct", "MinMax", "RangeTrackStep", "FakeQuant");
  }

  /** Statistics and attention of a norm are asked for at the fused node. */
  @Test
  void theOtherOutputsGoAlong() {
    Value norm = norm(x());
    Value y = relu(norm, 0, 6);
    Graph target = new Graph();
    Map<Value, Value> values = Fusion.append(plain, target, Set.of(y));
    Node fused = values.get(y).node();
    assertThat(
            Set.of(Norm.BnAct.BATCH_MEAN, Norm.BnAct.BATCH_VARIANCE, Norm.BnAct.ATTENTION).stream()
                .map(output -> values.get(norm.node().output(output)))
                .map(Value::node)
                .collect(Collectors.toSet()))
        .containsExactly(fused);
    assertThat(values).doesNotContainKey(norm);
  }
}
