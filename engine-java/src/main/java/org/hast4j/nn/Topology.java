package org.hast4j.nn;

import java.util.ArrayList;
import java.util.Comparator;
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
    // Convolutions on the longest way from the image, which is at 0, to each unit and through it.
    int[] depth = new int[units.size() + 1];
    Comparator<Integer> byDepth = Comparator.comparingInt(unit -> depth[unit + 1]);
    Set<Integer> taps = new TreeSet<>();
    for (int i = 0; i < units.size(); i++) {
      int deepest = units.get(i).inputs().stream().max(byDepth).orElseThrow();
      Layer layer = layer(i);
      boolean convolution =
          layer instanceof Layer.Convolution || layer instanceof Layer.DepthwiseConvolution;
      depth[i + 1] = depth[deepest + 1] + (convolution ? 1 : 0);
      if (layer instanceof Layer.Add && layer(deepest) instanceof Layer.BatchNorm) {
        taps.add(deepest);
      }
      if (layer instanceof Layer.BatchNorm && endsSeparable(i)) {
        taps.add(i);
      }
    }
    return List.copyOf(taps);
  }

  private boolean endsSeparable(int norm) {
    int x = source(norm);
    if (!(layer(x) instanceof Layer.Convolution conv && conv.kernel() == 1)) {
      return false;
    }
    do {
      x = source(x);
    } while (layer(x) instanceof Layer.Relu || layer(x) instanceof Layer.BatchNorm);
    return layer(x) instanceof Layer.DepthwiseConvolution;
  }

  /** The first that a unit reads. */
  private int source(int unit) {
    return units.get(unit).inputs().getFirst();
  }

  /** A unit's layer; null, which is no layer of any kind, for the image. */
  private Layer layer(int unit) {
    return unit == IMAGE ? null : units.get(unit).layer();
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
