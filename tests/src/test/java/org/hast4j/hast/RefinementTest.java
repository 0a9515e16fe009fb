package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Mode;
import org.hast4j.forward.Parameters;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.Value;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;
import org.hast4j.oracle.Oracle;
import org.hast4j.quant.Range;
import org.hast4j.zoo.CifarResNet;
import org.junit.jupiter.api.Test;

/** What may follow calibration: ranges and filters of least error, statistics of the student. */
class RefinementTest {
  private static final Model MODEL = CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B);
  private static final int BITS = 3;
  private static final int IMAGES = 32;
  private static final float WIDE = 40;

  /** Squared error by the quantiser of the oracle. */
  private static double error(float[] values, float[] onRangeOf, int bits) {
    float min = Float.POSITIVE_INFINITY;
    float max = Float.NEGATIVE_INFINITY;
    for (float value : onRangeOf) {
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
    return error(values, min, max, bits);
  }

  private static double error(float[] values, float min, float max, int bits) {
    double sum = 0;
    for (float value : values) {
      double off = Oracle.fakeQuant(value, min, max, bits) - value;
      sum += off * off;
    }
    return sum;
  }

  @Property(tries = 200)
  void theErrorIsThatOfTheQuantizer(
      @ForAll long seed, @ForAll @IntRange(min = 2, max = 8) int bits) {
    Random random = new Random(seed);
    float[] values = new float[50];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) random.nextGaussian();
    }
    float min = (float) -random.nextDouble();
    float max = (float) random.nextDouble() + .01f;
    double expected = error(values, min, max, bits);
    assertThat(RangeSearch.error(values, 0, values.length, min, max, bits))
        .isCloseTo(expected, within(1e-4 * expected + 1e-6));
  }

  @Property(tries = 20)
  void clippedFiltersAreNeverFurtherOff(
      @ForAll long seed, @ForAll @IntRange(min = 2, max = 8) int bits) {
    Network network = Networks.of(MODEL, seed);
    Network clipped = WeightClipping.of(network, new Scheme(new Bits(bits, 4)));
    boolean better = false;
    for (String layer : MODEL.weighted()) {
      float[] before = network.weights().get(layer + ".weight");
      float[] after = clipped.weights().get(layer + ".weight");
      int rows = Math.toIntExact(MODEL.parameters().get(layer + ".weight").size(0));
      int columns = before.length / rows;
      for (int row = 0; row < rows; row++) {
        float[] filter = Arrays.copyOfRange(before, row * columns, (row + 1) * columns);
        float[] bounded = Arrays.copyOfRange(after, row * columns, (row + 1) * columns);
        double plain = error(filter, filter, bits);
        double least = error(filter, bounded, bits);
        assertThat(least).isLessThanOrEqualTo(plain * 1.001 + 1e-9);
        better |= least < .95 * plain;
      }
    }
    assertThat(better || bits > 4).isTrue();
  }

  private static RunState state(Memory memory) {
    Network network = Networks.of(MODEL, 1);
    Recipe recipe =
        Recipe.read("balanced", Map.of("synthesis.images", "" + IMAGES, "synthesis.batch", "16"));
    Scheme scheme = new Scheme(new Bits(BITS, BITS));
    RunState state =
        new RunState(new Job(network, "none", scheme, recipe, new Images.Synthesized(), 1), memory);
    float[] pixels = new float[IMAGES * MODEL.input().size()];
    Random random = new Random(2);
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (float) random.nextGaussian();
    }
    memory.buffer(state.dataSet().images()).upload(0, pixels);
    return state;
  }

  private static void ranges(Memory memory, RunState state, float max) {
    Map<String, Range> ranges = new LinkedHashMap<>();
    for (String layer : state.quantization().quantizers().bits().keySet()) {
      ranges.put(layer, new Range(0, max));
    }
    state.quantization().upload(memory, ranges);
  }

  /** Every range that is far too wide becomes narrower, and is a share of what it was. */
  @Test
  void rangesNarrowToWhatOccurs() {
    try (OpenDevice device = Platform.CPU.open(2);
        Memory memory = new Memory(device)) {
      RunState state = state(memory);
      ranges(memory, state, WIDE);
      RangeSearch.run(memory, state.student(), state.quantization(), state.dataSet());
      assertThat(state.quantization().download(memory).values())
          .hasSize(7)
          .allSatisfy(
              range -> {
                assertThat(range.min()).isZero();
                assertThat(range.max()).isBetween(.1f * WIDE, .6f * WIDE);
              });
    }
  }

  /** Behind every BatchNorm each channel has the teacher's mean, on the images it was done for. */
  @Test
  void correctedStatisticsGiveTheTeachersMeans() {
    try (OpenDevice device = Platform.CPU.open(2);
        Memory memory = new Memory(device)) {
      RunState state = state(memory);
      ranges(memory, state, 4);
      Map<String, double[]> wanted = means(memory, state, false);
      assertThat(distance(wanted, means(memory, state, true))).isGreaterThan(.1);
      StatisticsCorrection.run(
          memory,
          state.units(),
          state.teacher(),
          state.student(),
          state.quantization(),
          state.dataSet());
      assertThat(distance(wanted, means(memory, state, true))).isLessThan(.01);
    }
  }

  private static double distance(Map<String, double[]> some, Map<String, double[]> others) {
    double most = 0;
    for (String norm : some.keySet()) {
      for (int i = 0; i < some.get(norm).length; i++) {
        most = Math.max(most, Math.abs(some.get(norm)[i] - others.get(norm)[i]));
      }
    }
    return most;
  }

  /** (m - running mean) / running deviation of each BatchNorm's input. */
  private static Map<String, double[]> means(Memory memory, RunState state, boolean student) {
    Graph graph = new Graph();
    Parameters parameters = student ? state.student() : state.teacher();
    Map<String, Value> values = parameters.values(graph);
    Forward forward =
        Forward.of(
            graph,
            "pass",
            MODEL,
            student
                ? Parameters.quantized(graph, MODEL, values, state.quantization().scheme())
                : values,
            graph.variable(state.dataSet().images(), Forward.images(MODEL, IMAGES)),
            student
                ? new Mode.Quantized(state.quantization().quantizers())
                : new Mode.Evaluation());
    Map<String, Storage> kept = new LinkedHashMap<>();
    for (Forward.Statistics norm : forward.statistics()) {
      Storage storage = Storage.of("mean", norm.mean().type());
      graph.keep(norm.mean(), storage);
      kept.put(norm.name(), storage);
    }
    Map<String, double[]> means = new LinkedHashMap<>();
    try (Program program = Program.compile("pass", graph, memory)) {
      program.run();
      Map<String, float[]> weights = parameters.download(memory);
      kept.forEach(
          (norm, storage) -> {
            float[] mean = memory.floats(storage);
            float[] running = weights.get(norm + ".running_mean");
            float[] variance = weights.get(norm + ".running_var");
            float epsilon = ((Operator.BatchNorm) MODEL.op(norm).orElseThrow()).epsilon();
            double[] distances = new double[mean.length];
            for (int i = 0; i < mean.length; i++) {
              distances[i] = (mean[i] - running[i]) / Math.sqrt(variance[i] + epsilon);
            }
            means.put(norm, distances);
          });
    }
    kept.values().forEach(memory::free);
    return means;
  }
}
