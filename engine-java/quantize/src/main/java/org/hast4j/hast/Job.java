package org.hast4j.hast;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Scheme;
import org.hast4j.nn.AlignmentTaps;
import org.hast4j.nn.BatchNorms;
import org.hast4j.nn.Network;

/**
 * What a run does.
 *
 * @param teacher the trained network
 * @param sourceSha256 of its file
 * @param scheme bits of its layers
 * @param images where the images come from
 * @param seed decides every random number
 */
public record Job(
    Network teacher, String sourceSha256, Scheme scheme, Recipe recipe, Images images, long seed) {
  /**
   * In units of the network's own statistics. Recipe balanced has 10, and the paper's weight is
   * about that on a network like the paper's; a hundred times less left images noise.
   */
  private static final float LEAST_STATISTICS_WEIGHT = 1;

  /**
   * Checks that the method has something to go by.
   *
   * @throws RefusedException if no convolution feeds a BatchNorm
   */
  void check() {
    if (!BatchNorms.any(teacher.model())) {
      throw new RefusedException(
          "%s has no BatchNorm behind a convolution, and its statistics are all that the method knows of the data. If an exporter folded it into the convolutions, export again with torch.onnx.export(.., training=TrainingMode.PRESERVE, do_constant_folding=False, dynamo=False), of the model in eval mode, or give the state dict itself; a network that never had one can be evaluated, not quantised"
              .formatted(teacher.model().name()));
    }
  }

  /** That some convolutions have no statistics, for people; empty where all have. */
  public Optional<String> withoutBatchNorm() {
    List<String> bare = BatchNorms.unnormalized(teacher.model());
    return bare.isEmpty()
        ? Optional.empty()
        : Optional.of(
            "%d convolutions of %s have no BatchNorm behind them, nothing is known of what they give: %s"
                .formatted(bare.size(), teacher.model().name(), String.join(", ", bare)));
  }

  /** Why the recipe may fail on the network, for people; empty where nothing says so. */
  public Optional<String> caution() {
    Recipe.Synthesis synthesis = recipe.synthesis();
    if (!(images instanceof Images.Synthesized) || recipe.normalForm()) {
      return Optional.empty();
    }
    float weight = synthesis.statisticsWeight() * squaredVariance(teacher.weights());
    return weight >= LEAST_STATISTICS_WEIGHT
        ? Optional.empty()
        : Optional.of(
            ("the recipe's weight of the BN-statistic loss, %s, is %.2g in units of this network's"
                    + " statistics, where 10 works: images may stay noise. Recipes balanced and"
                    + " thorough state it in the network's own units (normal-form)")
                .formatted(synthesis.statisticsWeight(), weight));
  }

  /** That features cannot be aligned, for people; empty where they can, or shall not. */
  public Optional<String> withoutTaps() {
    return recipe.fineTuning().alignment() && AlignmentTaps.of(teacher.model()).isEmpty()
        ? Optional.of(
            "%s has no residual unit and no depthwise-separable part: there are no features to align, and fine-tuning goes without"
                .formatted(teacher.model().name()))
        : Optional.empty();
  }

  /** Mean squared running variance, over channels and then layers. */
  private static float squaredVariance(Map<String, float[]> weights) {
    double sum = 0;
    int layers = 0;
    for (Map.Entry<String, float[]> entry : weights.entrySet()) {
      if (entry.getKey().endsWith(".running_var")) {
        double layer = 0;
        for (float variance : entry.getValue()) {
          layer += (double) variance * variance;
        }
        sum += layer / entry.getValue().length;
        layers++;
      }
    }
    return (float) (sum / layers);
  }
}
