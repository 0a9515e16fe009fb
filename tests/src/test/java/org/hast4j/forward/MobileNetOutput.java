package org.hast4j.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.hast4j.graph.TensorType.f32;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.kernel.Precision;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.nn.Network;
import org.hast4j.oracle.Interpreter;
import org.hast4j.oracle.Tensor;
import org.hast4j.zoo.Topologies;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What small MobileNets compute on a device, against the same graph in double precision. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class MobileNetOutput {
  private static final double TOLERANCE = 2e-4;
  private static final TensorType IMAGE = f32(2, 32, 32, 3);

  private final Platform platform;
  private final Random random = new Random(4);

  MobileNetOutput(Platform platform) {
    this.platform = platform;
  }

  @BeforeAll
  void needsThePlatform() {
    platform.assumeUsable();
  }

  /** Every BatchNorm's first channel is shifted so far that some activations are beyond 6. */
  private Network network(Model model) {
    Map<String, float[]> weights = new LinkedHashMap<>();
    for (ParameterLayout layout :
        List.of(ParameterLayout.parameters(model), ParameterLayout.statistics(model))) {
      for (String name : layout.names()) {
        TensorType type = layout.get(name).type();
        long fanIn = type.shape().elements() / type.shape().size(0);
        float[] values = new float[Math.toIntExact(type.shape().elements())];
        for (int i = 0; i < values.length; i++) {
          double noise = random.nextGaussian();
          if (type.shape().rank() > 1) {
            values[i] = (float) (noise / Math.sqrt(fanIn));
          } else if (name.endsWith("_var")) {
            values[i] = .5f + random.nextFloat();
          } else {
            double shift = i == 0 && name.endsWith(".bias") ? 6 : 0;
            values[i] = (float) ((name.endsWith(".weight") ? 1 : shift) + .3 * noise);
          }
        }
        weights.put(name, values);
      }
    }
    return new Network(model, Normalization.IMAGENET, weights);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "mobilenetv1-w0.25-10-32px",
        "mobilenetv2-w0.05-10-32px",
        "mobilenetv2-expanded-w0.05-7-32px"
      })
  void agreesWithTheOracle(String name) {
    Model model = Topologies.named(name);
    Graph graph = new Graph();
    Storage storage = Storage.of("image", IMAGE);
    Parameters parameters = new Parameters(model, "network");
    Forward forward =
        Forward.of(
            graph,
            "network",
            model,
            parameters.values(graph),
            graph.variable(storage, IMAGE),
            new Mode.Evaluation());
    List<Value> watched = new ArrayList<>(List.of(forward.logits()));
    forward.taps().forEach(tap -> watched.add(tap.attention()));
    List<Storage> kept = new ArrayList<>();
    for (Value value : watched) {
      Storage result = Storage.of("result", value.type());
      graph.keep(value, result);
      kept.add(result);
    }
    Network network = network(model);
    Tensor image = Tensor.fill(IMAGE, () -> (float) random.nextGaussian());
    Interpreter interpreter = new Interpreter();
    interpreter.write(storage, 0, image);
    write(interpreter, parameters.trained(), parameters.trainedStorage(), network);
    write(interpreter, ParameterLayout.statistics(model), parameters.statisticsStorage(), network);
    Interpreter.Trace trace = interpreter.run(graph);
    assertThat(forward.taps())
        .allSatisfy(
            tap ->
                assertThat(trace.of(tap.attention()).values())
                    .containsExactly(meanSquares(trace, tap.attention().node()), within(1e-9)));
    try (OpenDevice device = platform.open(platform.options(2, Precision.FP32, Launching.SINGLE));
        Memory memory = new Memory(device);
        Program program = Program.compile("network", graph, memory)) {
      parameters.upload(memory, network);
      memory.buffer(storage).upload(0, image.floats());
      program.run();
      for (int i = 0; i < watched.size(); i++) {
        double[] expected = trace.of(watched.get(i)).values();
        float[] actual = new float[expected.length];
        memory.buffer(kept.get(i)).download(0, actual);
        for (int k = 0; k < actual.length; k++) {
          assertThat(Math.abs(actual[k] - expected[k]) <= TOLERANCE * (1 + Math.abs(expected[k])))
              .as("%s[%d] is %s, expected %s", watched.get(i), k, actual[k], expected[k])
              .isTrue();
        }
      }
    }
    assertThat(largestActivation(graph, trace))
        .satisfies(
            largest -> {
              if (name.startsWith("mobilenetv2")) {
                assertThat(largest).isEqualTo(6);
              } else {
                assertThat(largest).isGreaterThan(6);
              }
            });
  }

  private static void write(
      Interpreter interpreter, ParameterLayout layout, Storage storage, Network network) {
    for (String name : layout.names()) {
      ParameterLayout.Entry slot = layout.get(name);
      float[] values = network.weights().get(name);
      double[] doubles = new double[values.length];
      for (int i = 0; i < values.length; i++) {
        doubles[i] = values[i];
      }
      interpreter.write(storage, slot.offset(), Tensor.of(slot.type(), doubles));
    }
  }

  /** By hand: of what a norm gives before its ReLU, over height and width; [n, c]. */
  private static double[] meanSquares(Interpreter.Trace trace, Node norm) {
    List<double[]> in = norm.inputs().stream().map(value -> trace.of(value).values()).toList();
    Value u = norm.inputs().getFirst();
    int channels = Math.toIntExact(u.size(3));
    int area = Math.toIntExact(u.size(1) * u.size(2));
    double[] means = new double[Math.toIntExact(u.size(0)) * channels];
    for (int i = 0; i < in.get(0).length; i++) {
      int c = i % channels;
      double centered = in.get(0)[i] - in.get(1)[c];
      double f = centered / Math.sqrt(in.get(2)[c] + 1e-5) * in.get(3)[c] + in.get(4)[c];
      means[i / (area * channels) * channels + c] += f * f / area;
    }
    return means;
  }

  private static double largestActivation(Graph graph, Interpreter.Trace trace) {
    double largest = 0;
    for (Node node : graph.nodes()) {
      if (node.op() instanceof Norm.BnAct norm && norm.slope() == 0) {
        for (double y : trace.of(node.output(Norm.BnAct.Y)).values()) {
          largest = Math.max(largest, y);
        }
      }
    }
    return largest;
  }
}
