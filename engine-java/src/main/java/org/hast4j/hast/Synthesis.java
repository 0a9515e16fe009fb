package org.hast4j.hast;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.IntStream;
import org.hast4j.device.Readback;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Gradients;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Lane;
import org.hast4j.graph.Node;
import org.hast4j.graph.Op;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.nn.Forward;
import org.hast4j.nn.Mode;
import org.hast4j.nn.Parameters;
import org.hast4j.nn.Topology;

/**
 * Hard-sample synthesis (paper section 3.2, algorithm section 1): images optimised from noise so
 * that a frozen teacher sees its own BatchNorm statistics in them and finds them hard. Works on one
 * batch at a time; a finished batch goes into the pool.
 */
public final class Synthesis implements AutoCloseable {
  private static final float ADAM_BETA1 = .9f;
  private static final float ADAM_BETA2 = .999f;
  private static final float ADAM_EPSILON = 1e-8f;
  private static final float PLATEAU_EPSILON = 1e-8f;
  private static final Op.Augmentation CROP =
      new Op.Augmentation.ResizedCrop(.4f, 1, 3f / 4, 4f / 3);

  /** Losses of the last iteration: the sum, the hard-sample part, the learning rate of the next. */
  public record Losses(float total, float hardSample, float learningRate) {
    /** The BN-statistic part. */
    public float statistics() {
      return total - hardSample;
    }
  }

  private final Memory memory;
  private final Recipe.Synthesis recipe;
  private final Topology topology;
  private final long seed;
  private final TensorType batchType;
  private final TensorType labelType;
  private final Storage pixels;
  private final Storage labels;
  private final Storage firstMoment;
  private final Storage secondMoment;
  private final Storage plateau = Storage.of("synthesis plateau", TensorType.f32(3));
  private final Storage iteration = Storage.of("synthesis iteration", TensorType.i64(1));
  private final Storage key = Storage.of("synthesis key", TensorType.i64(2));
  private final Storage order;
  private final Storage losses = Storage.of("synthesis losses", TensorType.f32(2));
  private final Program start;
  private final Program plain;
  private final Program augmented;
  private final boolean[] augments;
  private final Readback readback;
  private int decided = -1;

  /** Prepares synthesis for a teacher whose parameters lie on the device. */
  public Synthesis(Memory memory, Parameters teacher, Recipe.Synthesis recipe, long seed) {
    this.memory = memory;
    this.recipe = recipe;
    this.seed = seed;
    topology = teacher.topology();
    batchType =
        TensorType.f32(recipe.batch(), topology.height(), topology.width(), topology.channels());
    labelType = TensorType.i32(recipe.batch());
    pixels = Storage.of("synthesis pixels", batchType);
    labels = Storage.of("synthesis labels", labelType);
    firstMoment = Storage.of("synthesis first moment", batchType);
    secondMoment = Storage.of("synthesis second moment", batchType);
    order = Storage.of("synthesis order", labelType);
    augments = new boolean[recipe.iterations()];
    start = Program.compile("synthesis start", startGraph(), memory);
    plain = Program.compile("synthesis workspace", iterationGraph(teacher, false), memory);
    augmented =
        recipe.augment()
            ? Program.compile(
                "augmented synthesis workspace", iterationGraph(teacher, true), memory)
            : plain;
    readback =
        new Readback(
            memory.device(),
            List.of(
                new Readback.Source(memory.buffer(losses), 0, 2),
                new Readback.Source(memory.buffer(plateau), 0, 1)));
    memory.buffer(order).upload(0, IntStream.range(0, recipe.batch()).toArray());
  }

  private Graph startGraph() {
    Graph graph = new Graph();
    Value keyValue = graph.variable(key, TensorType.i64(2));
    graph.keep(
        graph.value(new Op.PhiloxNormal(Draw.SYNTHESIS_IMAGES.id(), batchType), keyValue), pixels);
    graph.keep(
        graph.value(
            new Op.PhiloxLabels(Draw.SYNTHESIS_LABELS.id(), recipe.batch(), topology.classes()),
            keyValue),
        labels);
    return graph;
  }

  private Graph iterationGraph(Parameters teacher, boolean augment) {
    Graph graph = new Graph();
    Value x = graph.variable(pixels, batchType);
    Value y = graph.variable(labels, labelType);
    Value keyValue = graph.variable(key, TensorType.i64(2));
    Value seen = augment ? cropped(graph, x, keyValue) : x;
    Forward forward =
        Forward.of(graph, "teacher", topology, teacher.values(graph), seen, new Mode.Evaluation());
    float weight =
        NetworkScale.statisticsWeight(
            recipe.statisticsWeight(), recipe.scaleByStatistics(), teacher, memory);
    Node hard =
        graph.apply(new Op.HardCrossEntropy(recipe.beta(), recipe.gamma()), forward.logits(), y);
    Value total = statisticsLoss(graph, forward, weight, hard.output(0));
    Value gradient = Gradients.of(graph, total, List.of(x)).getFirst();
    graph.part("");
    Recipe.Plateau rule = recipe.plateau();
    graph.apply(
        new Op.SampleStep(
            ADAM_BETA1,
            ADAM_BETA2,
            ADAM_EPSILON,
            rule.factor(),
            rule.threshold(),
            rule.minLearningRate(),
            PLATEAU_EPSILON,
            rule.patience()),
        x,
        graph.variable(firstMoment, batchType),
        graph.variable(secondMoment, batchType),
        graph.variable(plateau, TensorType.f32(3)),
        graph.variable(iteration, TensorType.i64(1)),
        gradient,
        total);
    graph.apply(new Op.CounterStep(), graph.variable(key, Long.BYTES, TensorType.i64(1)));
    graph.keep(total, losses, 0);
    graph.keep(hard.output(0), losses, Float.BYTES);
    return graph;
  }

  private Value cropped(Graph graph, Value x, Value keyValue) {
    // order[(step * n + i) % n] = i: every sample is its own crop's image.
    Value boxes =
        graph.value(
            new Op.Boxes(Draw.SYNTHESIS_CROPS.id(), recipe.batch(), CROP),
            keyValue,
            x,
            graph.variable(order, labelType));
    return graph.value(new Op.CropFlip(topology.height(), topology.width()), x, boxes);
  }

  /** Adds the BN-statistic loss of every layer, averaged over the layers, to a loss. */
  static Value statisticsLoss(Graph graph, Forward forward, float weight, Value loss) {
    graph.part("statistics");
    Lane lane = graph.lane(Lane.SIDE);
    Value total = loss;
    for (Forward.Statistics layer : forward.statistics()) {
      Op.BnStatsLoss op =
          new Op.BnStatsLoss(layer.rows(), weight / forward.statistics().size(), true);
      total =
          graph.value(
              op,
              layer.mean(),
              layer.variance(),
              layer.runningMean(),
              layer.runningVariance(),
              total);
    }
    graph.lane(lane);
    graph.part("");
    return total;
  }

  /**
   * Starts a batch from noise: N(0, 1) pixels, uniform labels, fresh optimiser and learning rate.
   */
  public void begin(int batch) {
    memory.buffer(key).upload(0, new long[] {seed, (long) batch * (recipe.iterations() + 1)});
    start.run();
    memory.buffer(firstMoment).clear();
    memory.buffer(secondMoment).clear();
    memory.buffer(iteration).upload(0, new long[] {0});
    memory
        .buffer(plateau)
        .upload(0, new float[] {recipe.learningRate(), Float.POSITIVE_INFINITY, 0});
    decide(batch);
  }

  /** One iteration on the current batch; {@code index} counts from 0 within it. */
  public void iterate(int batch, int index) {
    if (batch != decided) {
      // Also when an interrupted batch goes on, which does not begin anew.
      decide(batch);
    }
    if (augments[index]) {
      augmented.run();
    } else {
      plain.run();
    }
  }

  /** Tosses the coins of a batch: which iterations augment. */
  private void decide(int batch) {
    if (recipe.augment()) {
      RandomGeneratorFactory<RandomGenerator> coins = RandomGeneratorFactory.of("L64X128MixRandom");
      for (int index = 0; index < augments.length; index++) {
        long point = seed + (long) batch * recipe.iterations() + index;
        augments[index] = coins.create(point).nextBoolean();
      }
    }
    decided = batch;
  }

  /** Asks for the losses of the last iteration; the device need not wait for the answer. */
  public void fetchLosses() {
    readback.start();
  }

  /** Losses of the iteration they were fetched at, or of the last one. */
  public Losses losses() {
    float[] values = readback.values();
    return new Losses(values[0], values[1], values[2]);
  }

  /** Starts to watch what the optimiser does to the images. */
  SynthesisDiagnosis diagnosis() {
    return new SynthesisDiagnosis(memory, pixels, secondMoment, ADAM_BETA2);
  }

  /** Copies the finished batch into the pool. */
  public void finish(int batch, Pool pool) {
    memory.copy(pixels, pool.images(), batch * batchType.bytes());
    memory.copy(labels, pool.labels(), batch * labelType.bytes());
  }

  /** What an interrupted batch needs to go on. */
  public List<Storage> state() {
    return List.of(pixels, labels, firstMoment, secondMoment, plateau, iteration, key);
  }

  /** Kernels and copies that an iteration launches. */
  public long launches() {
    return plain.launches();
  }

  /** One run's seconds per operation. */
  public Map<String, Double> profile() {
    return plain.profile();
  }

  @Override
  public void close() {
    List<Program> programs = new ArrayList<>(List.of(start, plain));
    if (augmented != plain) {
      programs.add(augmented);
    }
    readback.close();
    programs.forEach(Program::close);
    state().forEach(memory::free);
    memory.free(losses);
    memory.free(order);
  }
}
