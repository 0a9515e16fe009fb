package org.hast4j.hast;

import java.util.LinkedHashMap;
import java.util.Map;
import org.hast4j.exec.Memory;
import org.hast4j.forward.Forward;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Lane;
import org.hast4j.graph.Loss;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;

/**
 * The BN-statistic loss (algorithm section 1.4) in the units of a network: what a batch's
 * statistics should be lies on the device.
 */
final class StatisticsLoss {
  private final Memory memory;
  private final float weight;
  private final Map<String, Storage> variances = new LinkedHashMap<>();

  /**
   * @param owner what the loss is of, in memory reports
   * @param weight of the loss, which is averaged over the layers
   */
  StatisticsLoss(Memory memory, Units units, String owner, float weight) {
    this.memory = memory;
    this.weight = weight;
    units
        .statistics()
        .forEach(
            (name, statistics) -> {
              float[] variance = statistics.variance();
              Storage storage =
                  Storage.of(owner + " variances of " + name, TensorType.f32(variance.length));
              memory.buffer(storage).upload(0, variance);
              variances.put(name, storage);
            });
  }

  /** Adds the loss of a forward pass to another loss. */
  Value append(Graph graph, Forward forward, Value loss) {
    graph.part("statistics");
    Lane lane = graph.lane(Lane.SIDE);
    Value total = loss;
    for (Forward.Statistics layer : forward.statistics()) {
      Loss.BnStatsLoss op =
          new Loss.BnStatsLoss(layer.rows(), weight / forward.statistics().size(), true);
      Value variance = graph.variable(variances.get(layer.name()), layer.runningVariance().type());
      total = graph.value(op, layer.mean(), layer.variance(), layer.runningMean(), variance, total);
    }
    graph.lane(lane);
    graph.part("");
    return total;
  }

  void free() {
    variances.values().forEach(memory::free);
  }
}
