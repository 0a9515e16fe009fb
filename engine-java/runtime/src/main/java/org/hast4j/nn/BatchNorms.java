package org.hast4j.nn;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;

/**
 * Which convolutions feed a BatchNorm: directly, or through what only moves, joins or averages
 * their values. Their statistics are all that the method knows of the data.
 */
public final class BatchNorms {
  private BatchNorms() {}

  /**
   * Whether at least one convolution feeds a BatchNorm; of a network without convolutions, one
   * linear layer.
   */
  public static boolean any(Model model) {
    int convolutions = model.names(Operator.Convolution.class).size();
    return convolutions > 0
        ? unnormalized(model).size() < convolutions
        : without(model).size() < model.weighted().size();
  }

  /** Names of the convolutions that feed none, in order of the layers. */
  public static List<String> unnormalized(Model model) {
    return without(model).stream()
        .filter(name -> model.op(name).orElseThrow() instanceof Operator.Convolution)
        .toList();
  }

  private static List<String> without(Model model) {
    Set<String> feeding = new HashSet<>();
    List<String> without = new ArrayList<>();
    for (Layer layer : model.layers().reversed()) {
      boolean feeds =
          model.readers(layer.name()).stream()
              .anyMatch(
                  reader ->
                      reader.op() instanceof Operator.BatchNorm
                          || passes(reader.op()) && feeding.contains(reader.name()));
      if (feeds) {
        feeding.add(layer.name());
      } else if (layer.op() instanceof Operator.Convolution
          || layer.op() instanceof Operator.Linear) {
        without.addFirst(layer.name());
      }
    }
    return without;
  }

  private static boolean passes(Operator op) {
    return switch (op) {
      case Operator.Add _,
          Operator.Concat _,
          Operator.Pool _,
          Operator.GlobalAveragePool _,
          Operator.Flatten _,
          Operator.ChannelPad _,
          Operator.ChannelShuffle _,
          Operator.Slice _ ->
          true;
      case Operator.Convolution _,
          Operator.Linear _,
          Operator.BatchNorm _,
          Operator.Activation _,
          Operator.PRelu _,
          Operator.Mul _ ->
          false;
    };
  }
}
