package org.hast4j.nn;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * The structure of a classifier: layers in order of execution, each reading earlier ones. What the
 * method needs to know, quantisation points and feature-alignment taps, follows from the structure
 * alone.
 *
 * @param name how files and reports call it
 * @param height input height, pixels
 * @param width input width, pixels
 * @param channels input channels
 * @param classes number of classes
 * @param units the layers
 */
public record Topology(
    String name, int height, int width, int channels, int classes, List<Unit> units) {
  /** The index that stands for the network's input. */
  public static final int IMAGE = -1;

  public Topology {
    units = List.copyOf(units);
    for (int i = 0; i < units.size(); i++) {
      for (int input : units.get(i).inputs()) {
        if (input < IMAGE || input >= i) {
          throw new IllegalArgumentException(
              "layer %s reads layer %d, which is not before it"
                  .formatted(units.get(i).name(), input));
        }
      }
    }
  }

  /** A layer, the name its parameters start with, and the indices of the units it reads. */
  public record Unit(String name, Layer layer, List<Integer> inputs) {}

  /** Indices of the units that read a unit. */
  public List<Integer> consumers(int unit) {
    List<Integer> consumers = new ArrayList<>();
    for (int i = unit + 1; i < units.size(); i++) {
      if (units.get(i).inputs().contains(unit)) {
        consumers.add(i);
      }
    }
    return consumers;
  }

  /** Number of activation quantisers: one for every ReLU. */
  public int quantisers() {
    return (int) units.stream().filter(unit -> unit.layer() instanceof Layer.Relu).count();
  }

  /** Number of BatchNorm layers. */
  public int batchNorms() {
    return (int) units.stream().filter(unit -> unit.layer() instanceof Layer.BatchNorm).count();
  }

  /**
   * Indices of the feature-alignment taps, in order: the BatchNorm that ends the body of each
   * residual unit, the body being the branch with more convolutions; and the BatchNorm that ends
   * each depthwise-separable part, that of the 1x1 convolution which reads a depthwise one's
   * result.
   */
  public List<Integer> taps() {
    int[] depth = new int[units.size()];
    Set<Integer> taps = new TreeSet<>();
    for (int i = 0; i < units.size(); i++) {
      Unit unit = units.get(i);
      int own = isConvolution(unit.layer()) ? 1 : 0;
      depth[i] =
          own
              + unit.inputs().stream()
                  .mapToInt(input -> input == IMAGE ? 0 : depth[input])
                  .max()
                  .orElse(0);
      if (unit.layer() instanceof Layer.Add) {
        int body =
            unit.inputs().stream()
                .max((a, b) -> Integer.compare(depthOf(depth, a), depthOf(depth, b)))
                .orElseThrow();
        if (body != IMAGE && units.get(body).layer() instanceof Layer.BatchNorm) {
          taps.add(body);
        }
      }
      if (unit.layer() instanceof Layer.BatchNorm && endsSeparable(unit)) {
        taps.add(i);
      }
    }
    return List.copyOf(taps);
  }

  private static boolean isConvolution(Layer layer) {
    return layer instanceof Layer.Convolution || layer instanceof Layer.DepthwiseConvolution;
  }

  private boolean endsSeparable(Unit norm) {
    int pointwise = norm.inputs().getFirst();
    if (pointwise == IMAGE
        || !(units.get(pointwise).layer() instanceof Layer.Convolution conv
            && conv.kernel() == 1)) {
      return false;
    }
    int source = units.get(pointwise).inputs().getFirst();
    while (source != IMAGE
        && (units.get(source).layer() instanceof Layer.Relu
            || units.get(source).layer() instanceof Layer.BatchNorm)) {
      source = units.get(source).inputs().getFirst();
    }
    return source != IMAGE && units.get(source).layer() instanceof Layer.DepthwiseConvolution;
  }

  private static int depthOf(int[] depth, int unit) {
    return unit == IMAGE ? 0 : depth[unit];
  }

  /** Appends layers, for building a topology step by step. */
  static final class Builder {
    private final List<Unit> units = new ArrayList<>();

    int add(String name, Layer layer, Integer... inputs) {
      units.add(new Unit(name, layer, List.of(inputs)));
      return units.size() - 1;
    }

    List<Unit> units() {
      return units;
    }
  }
}
