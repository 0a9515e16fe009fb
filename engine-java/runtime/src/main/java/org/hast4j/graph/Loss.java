package org.hast4j.graph;

import static org.hast4j.graph.TensorType.f32;

import java.util.List;
import org.hast4j.tensor.Shape;

/** Losses, which compute their gradients in their forward pass: loss.h and norm.h of the C ABI. */
public sealed interface Loss extends Op {
  /**
   * BN-statistic loss of one layer: (mean, variance, running mean, running variance[, base]) to
   * (loss, statistics gradient [2, c]).
   */
  record BnStatsLoss(long rows, float weight, boolean accumulates) implements Loss {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("BN-statistic loss", inputs, accumulates ? 5 : 4);
      TensorType channels = inputs.get(0);
      Shapes.rank("BN-statistic loss mean", channels, 1);
      for (int i = 1; i < 4; i++) {
        Shapes.same("BN-statistic loss input " + i, inputs.get(i), channels);
      }
      if (accumulates) {
        Shapes.same("BN-statistic loss base", inputs.get(4), f32(1));
      }
      return List.of(f32(1), f32(2, channels.shape().size(0)));
    }
  }

  /**
   * (logits [n, k], labels [n]) to (loss, dlogits, difficulty [n]). Beta 1 and gamma 0 is plain
   * cross-entropy.
   */
  record HardCrossEntropy(float beta, float gamma) implements Loss {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("cross-entropy", inputs, 2);
      Shape logits = Shapes.rank("cross-entropy logits", inputs.get(0), 2);
      Shapes.same("cross-entropy labels", inputs.get(1), TensorType.i32(logits.size(0)));
      return List.of(f32(1), inputs.get(0), f32(logits.size(0)));
    }

    @Override
    public boolean optional(int output) {
      return output == 2;
    }
  }

  /** (student, teacher logits [n, k]) to (loss, dstudent, dteacher). */
  record DistillKl(float temperature, float alpha) implements Loss {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("distillation", inputs, 2);
      Shapes.rank("distillation logits", inputs.get(0), 2);
      Shapes.same("distillation logits", inputs.get(1), inputs.get(0));
      return List.of(f32(1), inputs.get(0), inputs.get(0));
    }

    @Override
    public boolean optional(int output) {
      return output != 0;
    }
  }

  /**
   * (student, teacher attention [n, c][, base]) to (loss, student gradient, teacher gradient); the
   * gradients are the factors {@link Norm.BnActGrad} takes, {@code area} is h times w of the
   * features.
   */
  record FeatureAlign(long area, float lambda, boolean accumulates) implements Loss {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("feature alignment", inputs, accumulates ? 3 : 2);
      Shapes.rank("feature alignment", inputs.get(0), 2);
      Shapes.same("feature alignment", inputs.get(1), inputs.get(0));
      if (accumulates) {
        Shapes.same("feature alignment base", inputs.get(2), f32(1));
      }
      return List.of(f32(1), inputs.get(0), inputs.get(0));
    }

    @Override
    public boolean optional(int output) {
      return output != 0;
    }
  }
}
