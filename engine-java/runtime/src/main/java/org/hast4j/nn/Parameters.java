package org.hast4j.nn;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.device.Buffer;
import org.hast4j.exec.Memory;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Op;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;
import org.hast4j.model.Scheme;

/**
 * The storages a network's weights live in on a device: one for everything an optimiser trains, one
 * for the BatchNorm statistics.
 */
public final class Parameters {
  private static final String WEIGHT = ".weight";

  private final Model model;
  private final Slots trained;
  private final Slots statistics;
  private final Storage trainedStorage;
  private final Storage statisticsStorage;

  /** Storages named after {@code owner}: teacher, student, .. */
  public Parameters(Model model, String owner) {
    this.model = model;
    trained = Slots.parameters(model);
    statistics = Slots.statistics(model);
    trainedStorage = new Storage(owner + " parameters", trained.bytes());
    // A storage cannot be empty, and a network without BatchNorm has no statistics.
    statisticsStorage =
        new Storage(owner + " statistics", Math.max(statistics.bytes(), Float.BYTES));
  }

  public Model model() {
    return model;
  }

  public Slots trained() {
    return trained;
  }

  /** Where each statistic lies in its storage. */
  public Slots statisticsSlots() {
    return statistics;
  }

  public Storage trainedStorage() {
    return trainedStorage;
  }

  public Storage statisticsStorage() {
    return statisticsStorage;
  }

  /** All trained parameters as one vector, for optimisers; the gaps between them are part of it. */
  public static TensorType vector(Slots slots) {
    return TensorType.f32(slots.bytes() / Float.BYTES);
  }

  /** Variables for every parameter and statistic, by name. */
  public Map<String, Value> values(Graph graph) {
    Map<String, Value> values = new LinkedHashMap<>();
    variables(graph, trained, trainedStorage, values);
    variables(graph, statistics, statisticsStorage, values);
    return values;
  }

  private static void variables(
      Graph graph, Slots slots, Storage storage, Map<String, Value> values) {
    for (String name : slots.names()) {
      Slots.Slot slot = slots.get(name);
      graph.part(name);
      values.put(name, graph.variable(storage, slot.offset(), slot.type()));
    }
  }

  /**
   * The same values with convolution and linear weights fake-quantised, each output channel on its
   * own range.
   */
  public static Map<String, Value> quantised(
      Graph graph, Model model, Map<String, Value> values, Scheme scheme) {
    Map<String, Value> quantised = new LinkedHashMap<>(values);
    for (String layer : model.weighted()) {
      String name = layer + WEIGHT;
      graph.part(name);
      Op op = new Quantization.FakeQuantChannel(scheme.weightBits(layer));
      quantised.put(name, graph.value(op, values.get(name)));
    }
    return quantised;
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

  private static void upload(Buffer buffer, Slots slots, Network network) {
    for (String name : slots.names()) {
      buffer.upload(slots.get(name).offset(), network.weights().get(name));
    }
  }

  /** Copies the weights back from the device. */
  public Map<String, float[]> download(Memory memory) {
    Map<String, float[]> weights = new LinkedHashMap<>();
    download(memory.buffer(trainedStorage), trained, weights);
    download(memory.buffer(statisticsStorage), statistics, weights);
    return weights;
  }

  private static void download(Buffer buffer, Slots slots, Map<String, float[]> weights) {
    for (String name : slots.names()) {
      Slots.Slot slot = slots.get(name);
      float[] values = new float[Math.toIntExact(slot.type().shape().elements())];
      buffer.download(slot.offset(), values);
      weights.put(name, values);
    }
  }
}
