package org.hast4j.hast;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Mode;
import org.hast4j.forward.Parameters;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.tensor.Shape;

/** How far the BatchNorm statistics of images are from a network's own. */
final class StatisticsMismatch {
  // Statistics of fewer images would say more about their number than about them.
  private static final int BATCH = 256;

  private StatisticsMismatch() {}

  /**
   * The mismatch of every BatchNorm, by its name, in order: {@link Units.Statistics#mismatch},
   * averaged over batches of at most 256 images of a data set. What does not fill a last batch is
   * left out.
   */
  static Map<String, Double> of(Memory memory, Parameters teacher, Units units, DataSet dataSet) {
    Shape all = dataSet.imageType().shape();
    int batch = Math.min(BATCH, dataSet.count());
    TensorType type = TensorType.f32(batch, all.size(1), all.size(2), all.size(3));
    Storage images = Storage.of("mismatch images", type);
    Graph graph = new Graph();
    Forward forward =
        Forward.of(
            graph,
            "mismatch",
            teacher.model(),
            teacher.values(graph),
            graph.variable(images, type),
            new Mode.Evaluation());
    List<Storage> means = new ArrayList<>();
    List<Storage> variances = new ArrayList<>();
    for (Forward.Statistics layer : forward.statistics()) {
      means.add(kept(graph, layer.mean(), "mean of " + layer.name()));
      variances.add(kept(graph, layer.variance(), "variance of " + layer.name()));
    }
    Map<String, Double> mismatch = new LinkedHashMap<>();
    int batches = dataSet.count() / batch;
    try (Program program = Program.compile("mismatch workspace", graph, memory)) {
      for (int i = 0; i < batches; i++) {
        memory.copy(dataSet.images(), i * type.bytes(), images, 0, type.bytes());
        program.run();
        for (int layer = 0; layer < means.size(); layer++) {
          String name = forward.statistics().get(layer).name();
          double one =
              units
                  .statistics()
                  .get(name)
                  .mismatch(memory.floats(means.get(layer)), memory.floats(variances.get(layer)));
          mismatch.merge(name, one / batches, Double::sum);
        }
      }
    } finally {
      memory.free(images);
      means.forEach(memory::free);
      variances.forEach(memory::free);
    }
    return mismatch;
  }

  private static Storage kept(Graph graph, Value value, String name) {
    Storage storage = Storage.of("mismatch " + name, value.type());
    graph.keep(value, storage);
    return storage;
  }
}
