package org.hast4j.nn;

import java.util.ArrayList;
import java.util.List;

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
   * Indices of the feature-alignment taps: the BatchNorm that ends the body of each residual unit,
   * the body being the branch with more convolutions.
   */
  public List<Integer> taps() {
    int[] depth = new int[units.size()];
    List<Integer> taps = new ArrayList<>();
    for (int i = 0; i < units.size(); i++) {
      Unit unit = units.get(i);
      int own = unit.layer() instanceof Layer.Convolution ? 1 : 0;
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
    }
    return taps;
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
