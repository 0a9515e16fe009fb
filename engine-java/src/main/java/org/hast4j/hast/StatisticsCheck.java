package org.hast4j.hast;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.hast4j.device.Device;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Gradients;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Op;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.nn.Forward;
import org.hast4j.nn.Layer;
import org.hast4j.nn.Mode;
import org.hast4j.nn.Network;
import org.hast4j.nn.Parameters;
import org.hast4j.nn.Topology;

/**
 * Whether a network's BatchNorm statistics fit what the network computes, found without data. A few
 * images, drawn at random, are optimised to show every BatchNorm its own statistics. Where
 * structure, weights and statistics belong together they soon do; where they do not, no images can.
 *
 * <p>Everything is in each channel's own unit, {@code u = sqrt(σ² + ε)} (algorithm section 6), so
 * positive factors on filters, the statistics with them, change nothing. With {@code m} and {@code
 * v} mean and biased variance of a channel over the batch, Adam on the pixels lowers
 *
 * <pre>  1/L Σ_l [ mean_c ((m − μ)/u)² + mean_c ((v − σ²)/u²)² ]</pre>
 *
 * and a layer's distance is then the mean over its channels of the squared Hellinger distance
 * between the normal distributions {@code N(m, v + ε)} and {@code N(μ, σ² + ε)}:
 *
 * <pre>  1 − sqrt(2 s / (1 + s²)) exp(−((m − μ)/u)² / (4 (1 + s²))),  s² = (v + ε) / u²</pre>
 *
 * It lies between 0 and 1 whatever the channel. ε counts as part of the variance because a channel
 * whose variance is far below it passes on next to nothing.
 *
 * @param layers all BatchNorms, in order
 * @param score mean distance over the layers, 0 to 1
 * @param threshold the most that a network with fitting statistics is expected to have
 */
public record StatisticsCheck(List<BatchNorm> layers, double score, double threshold) {
  // Between healthy networks and those whose statistics do not fit:
  // bench/results/2026-11-27-statistics-check.md. Larger images are fewer and slower to fit.
  private static final double THRESHOLD = .0012;
  private static final double THRESHOLD_OF_LARGE_IMAGES = .012;
  private static final int STEPS = 80;

  /** For networks that are slow to fit; one that cannot fit gains little by them. */
  private static final int MORE_STEPS = 160;

  private static final float LEARNING_RATE = .1f;
  private static final int PIXELS = 32 * 32 * 32;
  private static final int MIN_IMAGES = 4;
  private static final int MAX_IMAGES = 32;
  private static final int NAMED = 3;

  /**
   * One BatchNorm's part.
   *
   * @param name as its parameters are named
   * @param distance of the images' statistics from the stored ones, 0 to 1; 1 if it is not a number
   * @param fresh whether the stored ones are exactly 0 and 1 in all channels, as before any
   *     training
   */
  public record BatchNorm(String name, double distance, boolean fresh) {}

  public StatisticsCheck {
    layers = List.copyOf(layers);
  }

  /**
   * Checks a network. What the device holds for it meanwhile is given back.
   *
   * @param seed decides the images; the result is a function of it, the network and the device
   * @throws IllegalArgumentException if a BatchNorm does not follow a convolution of its own, or
   *     the network has none
   */
  public static StatisticsCheck of(Device device, Network network, long seed) {
    try (Memory memory = new Memory(device)) {
      return new Search(memory, network, seed).result();
    }
  }

  /** Whether the score is at most the threshold. */
  public boolean fits() {
    return score <= threshold;
  }

  /** What people should know before they quantise the network; empty where nothing is wrong. */
  public Optional<String> warning() {
    List<String> fresh = layers.stream().filter(BatchNorm::fresh).map(BatchNorm::name).toList();
    if (!fresh.isEmpty()) {
      String which =
          fresh.size() == layers.size()
              ? "all " + fresh.size() + " BatchNorms"
              : fresh.size() <= NAMED
                  ? String.join(", ", fresh)
                  : fresh.size() + " BatchNorms, " + fresh.getFirst() + " the first,";
      return Optional.of(
          "the running statistics of %s are still 0 and 1, as before any training: let the network see its training images in training mode, or take the file that has them; the method has nothing else to go by"
              .formatted(which));
    }
    if (fits()) {
      return Optional.empty();
    }
    String worst =
        layers.stream()
            .sorted(Comparator.comparingDouble(BatchNorm::distance).reversed())
            .limit(NAMED)
            .map(layer -> "%s (%.2g)".formatted(layer.name(), layer.distance()))
            .collect(Collectors.joining(", "));
    return Optional.of(
        "the BatchNorm statistics do not fit what this network computes: the distance is %.2g, at most %.2g is usual, and it is largest at %s. Likely causes: another shortcut, other strides, epsilon or input normalisation than in training, BatchNorms exchanged, or weights and statistics of different training runs"
            .formatted(score, threshold, worst));
  }

  /** Whether every channel has mean 0 and variance 1. */
  private static boolean fresh(float[] mean, float[] variance) {
    for (int c = 0; c < mean.length; c++) {
      if (mean[c] != 0 || variance[c] != 1) {
        return false;
      }
    }
    return true;
  }

  /** The optimisation of the images, in the memory of its caller. */
  private static final class Search {
    /**
     * A BatchNorm in its channels' own units: what it should see, and where what it sees is kept.
     */
    private record Target(
        String name,
        boolean fresh,
        float[] means,
        float[] variances,
        Storage variance,
        Storage seenMean,
        Storage seenVariance) {}

    private final Memory memory;
    private final Topology topology;
    private final List<Target> targets = new ArrayList<>();
    private final int count;
    private final TensorType images;
    private final Parameters parameters;
    private final Storage pixels;
    private final Storage learningRate =
        Storage.of("statistics check learning rate", TensorType.f32(1));

    Search(Memory memory, Network network, long seed) {
      this.memory = memory;
      topology = network.topology();
      int area = topology.height() * topology.width();
      count = Math.clamp(PIXELS / area, MIN_IMAGES, MAX_IMAGES);
      images = TensorType.f32(count, topology.height(), topology.width(), topology.channels());
      Network inOwnUnits = inOwnUnits(network);
      if (targets.isEmpty()) {
        throw new IllegalArgumentException(
            topology.name() + " has no BatchNorm: there are no statistics to check");
      }
      parameters = new Parameters(topology, "checked");
      parameters.upload(memory, inOwnUnits);
      for (Target target : targets) {
        memory.buffer(target.variance()).upload(0, target.variances());
      }
      pixels = Storage.of("statistics check images", images);
      memory
          .buffer(pixels)
          .upload(0, DeadLeaves.images(topology, network.normalization(), count, seed));
      memory.buffer(learningRate).upload(0, new float[] {LEARNING_RATE});
    }

    /**
     * The same function with every filter, its statistics and its ε divided by the channel's unit
     * or its square. σ² + ε becomes 1; since a layer has one ε, which stays, the variance that the
     * BatchNorm divides by becomes 1 - ε, and the one to aim at is a number of its own.
     */
    private Network inOwnUnits(Network network) {
      Map<String, float[]> weights = new LinkedHashMap<>(network.weights());
      for (int i = 0; i < topology.units().size(); i++) {
        Topology.Unit unit = topology.units().get(i);
        if (unit.layer() instanceof Layer.BatchNorm norm) {
          String filters = filters(i) + ".weight";
          float[] filter = weights.get(filters).clone();
          float[] mean = weights.get(unit.name() + ".running_mean").clone();
          float[] variance = weights.get(unit.name() + ".running_var").clone();
          boolean fresh = fresh(mean, variance);
          float[] aim = new float[mean.length];
          int size = filter.length / mean.length;
          for (int c = 0; c < mean.length; c++) {
            double square = Math.max((double) variance[c] + norm.epsilon(), Float.MIN_NORMAL);
            double unitOfChannel = Math.sqrt(square);
            for (int j = c * size; j < (c + 1) * size; j++) {
              filter[j] = (float) (filter[j] / unitOfChannel);
            }
            mean[c] = (float) (mean[c] / unitOfChannel);
            aim[c] = (float) (variance[c] / square);
            variance[c] = 1 - norm.epsilon();
          }
          weights.put(filters, filter);
          weights.put(unit.name() + ".running_mean", mean);
          weights.put(unit.name() + ".running_var", variance);
          targets.add(target(unit.name(), fresh, mean, aim));
        }
      }
      return network.withWeights(weights);
    }

    private static Target target(String name, boolean fresh, float[] means, float[] variances) {
      TensorType type = TensorType.f32(means.length);
      return new Target(
          name,
          fresh,
          means,
          variances,
          Storage.of(name + " variance", type),
          Storage.of(name + " mean seen", type),
          Storage.of(name + " variance seen", type));
    }

    /** The convolution that only this BatchNorm reads. */
    private String filters(int norm) {
      int source = topology.units().get(norm).inputs().getFirst();
      boolean convolution =
          source != Topology.IMAGE
              && (topology.units().get(source).layer() instanceof Layer.Convolution
                  || topology.units().get(source).layer() instanceof Layer.DepthwiseConvolution);
      if (!convolution || topology.consumers(source).size() != 1) {
        throw new IllegalArgumentException(
            "%s: %s does not follow a convolution of its own, so its statistics cannot be checked"
                .formatted(topology.name(), topology.units().get(norm).name()));
      }
      return topology.units().get(source).name();
    }

    StatisticsCheck result() {
      try (Program program = Program.compile("statistics check workspace", graph(), memory)) {
        run(program, 1);
        if (targets.stream().anyMatch(Target::fresh)) {
          return measured();
        }
        run(program, STEPS);
        StatisticsCheck early = measured();
        if (early.fits()) {
          return early;
        }
        run(program, MORE_STEPS);
        StatisticsCheck late = measured();
        // Adam's steps do not shrink: more of them may also lead away.
        return late.score() < early.score() ? late : early;
      }
    }

    private static void run(Program program, int steps) {
      for (int i = 0; i < steps; i++) {
        program.run();
      }
    }

    /** From the statistics that the last run kept, those before its step. */
    private StatisticsCheck measured() {
      List<BatchNorm> layers = targets.stream().map(this::layer).toList();
      double score = layers.stream().mapToDouble(BatchNorm::distance).average().orElseThrow();
      return new StatisticsCheck(
          layers, score, count == MAX_IMAGES ? THRESHOLD : THRESHOLD_OF_LARGE_IMAGES);
    }

    private Graph graph() {
      Graph graph = new Graph();
      Value x = graph.variable(pixels, images);
      Forward forward =
          Forward.of(
              graph, "checked", topology, parameters.values(graph), x, new Mode.Evaluation());
      // Labels play no part, but gradients come from a loss of the logits.
      TensorType labels = TensorType.i32(count);
      Value none = graph.variable(Storage.of("statistics check labels", labels), labels);
      Value total = graph.value(new Op.HardCrossEntropy(0, 0), forward.logits(), none);
      for (int l = 0; l < targets.size(); l++) {
        Forward.Statistics seen = forward.statistics().get(l);
        Target target = targets.get(l);
        graph.keep(seen.mean(), target.seenMean());
        graph.keep(seen.variance(), target.seenVariance());
        total =
            graph.value(
                new Op.BnStatsLoss(seen.rows(), 1f / targets.size(), true),
                seen.mean(),
                seen.variance(),
                seen.runningMean(),
                graph.variable(target.variance(), seen.variance().type()),
                total);
      }
      Value gradient = Gradients.of(graph, total, List.of(x)).getFirst();
      graph.part("statistics check");
      Value done =
          graph.variable(
              Storage.of("statistics check iteration", TensorType.i64(1)), TensorType.i64(1));
      graph.apply(
          new Op.AdamStep(.9f, .999f, 1e-8f),
          x,
          graph.variable(Storage.of("statistics check first moment", images), images),
          graph.variable(Storage.of("statistics check second moment", images), images),
          gradient,
          graph.variable(learningRate, TensorType.f32(1)),
          done);
      graph.apply(new Op.CounterStep(), done);
      return graph;
    }

    private BatchNorm layer(Target target) {
      float[] means = memory.floats(target.seenMean());
      float[] variances = memory.floats(target.seenVariance());
      double sum = 0;
      for (int c = 0; c < means.length; c++) {
        sum +=
            distance(
                (double) means[c] - target.means()[c],
                (double) variances[c] - target.variances()[c]);
      }
      double distance = sum / means.length;
      return new BatchNorm(target.name(), Double.isNaN(distance) ? 1 : distance, target.fresh());
    }

    /** Squared Hellinger distance of two normal distributions, of variances 1 + excess and 1. */
    private static double distance(double shift, double excess) {
      double square = 1 + excess;
      double overlap =
          Math.sqrt(2 * Math.sqrt(square) / (1 + square))
              * Math.exp(-shift * shift / (4 * (1 + square)));
      return 1 - overlap;
    }
  }
}
