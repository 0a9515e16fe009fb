package org.hast4j.hast;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.hast4j.device.Device;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.failure.RefusedException;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Mode;
import org.hast4j.forward.Parameters;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Gradients;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Loss;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;
import org.hast4j.nn.Network;

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
   * @throws RefusedException if the network has no BatchNorm
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
    /** A BatchNorm in its channels' own units, and where what it sees is kept. */
    private record Target(
        String name,
        boolean fresh,
        Units.Statistics stored,
        Storage seenMean,
        Storage seenVariance) {}

    private final Memory memory;
    private final Model model;
    private final List<Target> targets = new ArrayList<>();
    private final int count;
    private final TensorType images;
    private final Parameters parameters;
    private final StatisticsLoss loss;
    private final Storage pixels;
    private final Storage learningRate =
        Storage.of("statistics check learning rate", TensorType.f32(1));

    Search(Memory memory, Network network, long seed) {
      this.memory = memory;
      model = network.model();
      int area = model.input().height() * model.input().width();
      count = Math.clamp(PIXELS / area, MIN_IMAGES, MAX_IMAGES);
      images = Forward.images(model, count);
      Units units = Units.normalAsStored(network);
      if (units.statistics().isEmpty()) {
        throw new RefusedException(
            model.name() + " has no BatchNorm: there are no statistics to check");
      }
      units.statistics().forEach((name, stored) -> targets.add(target(network, name, stored)));
      loss = new StatisticsLoss(memory, units, "statistics check", 1);
      parameters = new Parameters(model, "checked");
      parameters.upload(memory, units.network());
      pixels = Storage.of("statistics check images", images);
      memory
          .buffer(pixels)
          .upload(0, DeadLeaves.images(model, network.normalization(), count, seed));
      memory.buffer(learningRate).upload(0, new float[] {LEARNING_RATE});
    }

    private static Target target(Network network, String name, Units.Statistics stored) {
      TensorType type = TensorType.f32(stored.mean().length);
      return new Target(
          name,
          fresh(
              network.weights().get(name + ".running_mean"),
              network.weights().get(name + ".running_var")),
          stored,
          Storage.of(name + " mean seen", type),
          Storage.of(name + " variance seen", type));
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
          Forward.of(graph, "checked", model, parameters.values(graph), x, new Mode.Evaluation());
      // Labels play no part, but gradients come from a loss of the logits.
      TensorType labels = TensorType.i32(count);
      Value none = graph.variable(Storage.of("statistics check labels", labels), labels);
      Value zero = graph.value(new Loss.HardCrossEntropy(0, 0), forward.logits(), none);
      for (int l = 0; l < targets.size(); l++) {
        Forward.Statistics seen = forward.statistics().get(l);
        graph.keep(seen.mean(), targets.get(l).seenMean());
        graph.keep(seen.variance(), targets.get(l).seenVariance());
      }
      Value total = loss.append(graph, forward, zero);
      Value gradient = Gradients.of(graph, total, List.of(x)).getFirst();
      graph.part("statistics check");
      Value done =
          graph.variable(
              Storage.of("statistics check iteration", TensorType.i64(1)), TensorType.i64(1));
      graph.apply(
          new Optimizer.AdamStep(.9f, .999f, 1e-8f),
          x,
          graph.variable(Storage.of("statistics check first moment", images), images),
          graph.variable(Storage.of("statistics check second moment", images), images),
          gradient,
          graph.variable(learningRate, TensorType.f32(1)),
          done);
      graph.apply(new Elementwise.CounterStep(), done);
      return graph;
    }

    private BatchNorm layer(Target target) {
      float[] means = memory.floats(target.seenMean());
      float[] variances = memory.floats(target.seenVariance());
      Units.Statistics stored = target.stored();
      double sum = 0;
      for (int c = 0; c < means.length; c++) {
        double square = stored.squaredUnit()[c];
        sum +=
            distance(
                (means[c] - stored.mean()[c]) / Math.sqrt(square),
                (variances[c] - stored.variance()[c]) / square);
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
