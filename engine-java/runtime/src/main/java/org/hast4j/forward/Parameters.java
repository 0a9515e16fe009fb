package org.hast4j.forward;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.device.driver.Buffer;
import org.hast4j.exec.Memory;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Op;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;

/**
 * The storages a network's weights live in on a device: one for everything an optimiser trains, one
 * for the BatchNorm statistics.
 */
public final class Parameters {
  private static final String WEIGHT = ".weight";

  private final Model model;
  private final ParameterLayout trained;
  private final ParameterLayout statistics;
  private final Storage trainedStorage;
  private final Storage statisticsStorage;

  /** Storages named after {@code owner}: teacher, student, .. */
  public Parameters(Model model, String owner) {
    this.model = model;
    trained = ParameterLayout.parameters(model);
    statistics = ParameterLayout.statistics(model);
    trainedStorage = new Storage(owner + " parameters", trained.bytes());
    // A storage cannot be empty, and a network without BatchNorm has no statistics.
    statisticsStorage =
        new Storage(owner + " statistics", Math.max(statistics.bytes(), Float.BYTES));
  }

  public Model model() {
    return model;
  }

  public ParameterLayout trained() {
    return trained;
  }

  /** Where each statistic lies in its storage. */
  public ParameterLayout statisticsLayout() {
    return statistics;
  }

  public Storage trainedStorage() {
    return trainedStorage;
  }

  public Storage statisticsStorage() {
    return statisticsStorage;
  }

  /** All trained parameters as one vector, for optimisers; the gaps between them are part of it. */
  public static TensorType vector(ParameterLayout layout) {
    return TensorType.f32(layout.bytes() / Float.BYTES);
  }

  /** Variables for every parameter and statistic, by name. */
  public Map<String, Value> values(Graph graph) {
    Map<String, Value> values = new LinkedHashMap<>();
    variables(graph, trained, trainedStorage, values);
    variables(graph, statistics, statisticsStorage, values);
    return values;
  }

  private static void variables(
      Graph graph, ParameterLayout layout, Storage storage, Map<String, Value> values) {
    for (String name : layout.names()) {
      ParameterLayout.Entry slot = layout.get(name);
      graph.part(name);
      values.put(name, graph.variable(storage, slot.offset(), slot.type()));
    }
  }

  /**
   * The same values with convolution and linear weights fake-quantised, each output channel on its
   * own range.
   */
  public static Map<String, Value> quantized(
      Graph graph, Model model, Map<String, Value> values, Scheme scheme) {
    Map<String, Value> quantized = new LinkedHashMap<>(values);
    for (String layer : model.weighted()) {
      String name = layer + WEIGHT;
      graph.part(name);
      Op op = new Quantization.FakeQuantChannel(scheme.weightBits(layer));
      quantized.put(name, graph.value(op, values.get(name)));
    }
    return quantized;
  }

  /** Names of the weights that are quantised: every convolution's and the classifier's. */
  public static List<String> weightNames(Model model) {
    return model.weighted().stream().map(layer -> layer + WEIGHT).toList();
  }

  /** Copies a network's weights to the device. */
  public void upload(Memory memory, Network network) {
    upload(memory.buffer(trainedStorage), trained, network);
    upload(memory.buffer(statisticsStorage), statistics, network);
  }

  private static void upload(Buffer buffer, ParameterLayout layout, Network network) {
    for (String name : layout.names()) {
      buffer.upload(layout.get(name).offset(), network.weights().get(name));
    }
  }

  /** Copies the weights back from the device. */
  public Map<String, float[]> download(Memory memory) {
    Map<String, float[]> weights = new LinkedHashMap<>();
    download(memory.buffer(trainedStorage), trained, weights);
    download(memory.buffer(statisticsStorage), statistics, weights);
    return weights;
  }

  private static void download(
      Buffer buffer, ParameterLayout layout, Map<String, float[]> weights) {
    for (String name : layout.names()) {
      ParameterLayout.Entry slot = layout.get(name);
      float[] values = new float[Math.toIntExact(slot.type().shape().elements())];
      buffer.download(slot.offset(), values);
      weights.put(name, values);
    }
  }
}
