package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.List;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.Shape;

/**
 * The networks of Simonyan and Zisserman 2015 in torchvision's names: features.0, features.1, .. of
 * 3x3 convolutions, BatchNorms, activations and pools, where the numbers that have no tensors are
 * activations and pools, and linear layers classifier.0, classifier.3, .. or classifier. Where the
 * convolutions are named stage1.1.conv, stage1.1.bn, a pool ends each stage.
 *
 * <p>Words: {@code last-pool}, {@code max}, or {@code average} over all that the classifier does
 * not tell apart.
 */
final class Vggs {
  private final State state;
  private final Stack net;
  private final ActivationFunction function;

  private enum LastPool {
    MAX,
    AVERAGE
  }

  /**
   * A convolution.
   *
   * @param norm name of its BatchNorm, if it has one
   * @param activation name of its activation
   * @param pool name of the pool behind it; empty if there is none
   */
  private record Step(String convolution, String norm, String activation, String pool) {}

  private Vggs(State state, Stack net, Assumptions assumed) {
    this.state = state;
    this.net = net;
    function = assumed.activation("relu");
  }

  static Model model(State state, Assumptions assumed) {
    List<Step> steps = state.numbers("stage").isEmpty() ? numbered(state) : staged(state);
    List<String> linears = linears(state);
    boolean max = assumed.oneOf("last-pool", LastPool.class, LastPool.MAX) == LastPool.MAX;
    Stack net = Stack.of(state, assumed, steps.getFirst().convolution, size(state, steps, linears));
    return new Vggs(state, net, assumed).built(steps, linears, max);
  }

  /** From the numbers of features that are missing between two convolutions. */
  private static List<Step> numbered(State state) {
    List<Integer> convolutions =
        state.numbers("features.").stream()
            .filter(i -> state.shape("features." + i + ".weight").rank() == 4)
            .toList();
    List<Step> steps = new ArrayList<>();
    for (int i = 0; i < convolutions.size(); i++) {
      int at = convolutions.get(i);
      int relu =
          at + (state.hasLayer("features." + (at + 1)) && !convolutions.contains(at + 1) ? 2 : 1);
      boolean last = i == convolutions.size() - 1;
      int gap = last ? 2 : convolutions.get(i + 1) - relu;
      if (gap != 1 && gap != 2) {
        throw new RefusedException(
            "between features.%d and features.%d are %d layers without tensors; an activation and a pool are known"
                .formatted(at, convolutions.get(i + 1), gap));
      }
      String name = "features.";
      steps.add(
          new Step(name + at, name + (at + 1), name + relu, gap == 2 ? name + (relu + 1) : ""));
    }
    return steps;
  }

  private static List<Step> staged(State state) {
    List<Step> steps = new ArrayList<>();
    for (int stage : state.stages("stage")) {
      List<Integer> units = state.numbers("stage" + stage + ".");
      for (int unit : units) {
        String name = "stage" + stage + "." + unit;
        String pool = unit == units.getLast() ? "stage" + stage + ".pool" : "";
        steps.add(new Step(name + ".conv", name + ".bn", name + ".activ", pool));
      }
    }
    return steps;
  }

  private static List<String> linears(State state) {
    List<String> names =
        state.numbers("classifier.").stream()
            .map(i -> "classifier." + i)
            .filter(name -> state.hasLayer(name) && state.shape(name + ".weight").rank() > 1)
            .toList();
    return names.isEmpty() ? List.of("classifier") : names;
  }

  /** What gives the classifier its features without an average. */
  private static int size(State state, List<Step> steps, List<String> linears) {
    Shape first = state.shape(linears.getFirst() + ".weight");
    long channels = state.outputs(steps.getLast().convolution);
    long area =
        first.rank() == 4
            ? first.size(2) * first.size(3)
            : Math.max(1, first.size(first.rank() - 1) / Math.max(1, channels));
    long pools = steps.stream().filter(step -> !step.pool.isEmpty()).count();
    long size = Math.round(Math.sqrt(area)) << Math.min(pools, 16);
    return (int) Math.min(size, 1 << 16);
  }

  private Model built(List<Step> steps, List<String> linears, boolean max) {
    String x = Model.IMAGE;
    for (Step step : steps) {
      x = net.convolution(step.convolution, 1, x);
      x = net.activation(step.activation, function, net.norm(step.norm, x));
      if (!step.pool.isEmpty() && (max || step != steps.getLast())) {
        x = net.pool(step.pool, Operator.Pool.Kind.MAX, 2, 2, 0, x);
      }
    }
    for (String linear : linears) {
      x = linear(linear, x);
      if (!linear.equals(linears.getLast())) {
        x = net.activation(linear + ".relu", function, x);
      }
    }
    boolean norm = net.hasNorm(steps.getFirst().norm);
    long width = state.outputs(steps.getFirst().convolution);
    // Named by the linear layers of the paper, which those for CIFAR have fewer of.
    return net.build(
        "vgg"
            + (steps.size() + 3)
            + (norm ? "-bn" : "")
            + (width == 64 ? "" : "-w" + width)
            + net.suffix(linears.getLast()));
  }

  /** Fully connected; timm has the first ones as convolutions of the whole image. */
  private String linear(String name, String x) {
    if (state.shape(name + ".weight").rank() == 4) {
      return net.convolution(name, 1, 0, 0, x);
    }
    return net.shape(x).rank() == 3 ? net.head("avgpool", name, x) : net.linear(name, x);
  }
}
