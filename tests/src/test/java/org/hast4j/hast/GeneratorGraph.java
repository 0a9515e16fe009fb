package org.hast4j.hast;

import java.util.Map;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;

/** The generator, for the tests of gradients. */
public final class GeneratorGraph {
  private final Generator generator;

  public GeneratorGraph(int latent, Model model) {
    generator = new Generator(latent, model);
  }

  public ParameterLayout layout() {
    return generator.layout();
  }

  public Storage storage() {
    return generator.storage();
  }

  public Map<String, Value> values(Graph graph) {
    return generator.values(graph);
  }

  public Value forward(Graph graph, Map<String, Value> values, Value noise, Value labels) {
    return generator.forward(graph, values, noise, labels);
  }
}
