package org.hast4j.forward;

import java.util.Map;
import java.util.function.Function;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;

/**
 * A forward pass by itself.
 *
 * @param images [batch, h, w, c], normalized, where the graph reads them
 * @param logits [batch, classes], where it leaves them
 */
public record LogitsGraph(Graph graph, Storage images, Storage logits) {
  /**
   * The pass of a model.
   *
   * @param owner names the storages: evaluation, session, ..
   * @param weights values by name, as {@link Parameters#values} gives them
   */
  public static LogitsGraph of(
      String owner,
      Model model,
      int batch,
      Mode mode,
      Function<Graph, Map<String, Value>> weights) {
    Graph graph = new Graph();
    TensorType type = Forward.images(model, batch);
    Storage images = Storage.of(owner + " images", type);
    Storage logits = Storage.of(owner + " logits", TensorType.f32(batch, model.classes()));
    Map<String, Value> values = weights.apply(graph);
    Value x = graph.variable(images, type);
    graph.keep(Forward.of(graph, owner, model, values, x, mode).logits(), logits);
    return new LogitsGraph(graph, images, logits);
  }
}
