package org.hast4j.hast;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.IntStream;
import org.hast4j.device.driver.Readback;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Mode;
import org.hast4j.forward.Parameters;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Gradients;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Loss;
import org.hast4j.graph.Node;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Random;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;

/**
 * Hard-sample synthesis (paper section 3.2, algorithm section 1): images optimised from noise so
 * that a frozen teacher sees its own BatchNorm statistics in them and finds them hard. Works on one
 * batch at a time; a finished batch goes into the data set.
 */
final class Synthesis implements AutoCloseable {
  private static final float ADAM_BETA1 = .9f;
  private static final float ADAM_BETA2 = .999f;
  private static final float ADAM_EPSILON = 1e-8f;
  private static final float PLATEAU_EPSILON = 1e-8f;
  private static final int RATE_ITERATIONS = 10;
  private static final long GOLDEN_RATIO = 0x9e3779b97f4a7c15L;
  private static final Random.Augmentation CROP =
      new Random.Augmentation.ResizedCrop(.4f, 1, 3f / 4, 4f / 3);

  /**
   * Losses of the last iteration.
   *
   * @param total the sum
   * @param hardSample the hard-sample part
   * @param learningRate the learning rate of the next
   * @param lowest the lowest sum of the batch so far, whose images are kept
   */
  record Losses(float total, float hardSample, float learningRate, float lowest) {}

  private final Memory memory;
  private final Recipe.Synthesis recipe;
  private final Model model;
  private final long seed;
  private final TensorType batchType;
  private final TensorType labelType;
  private final Storage pixels;
  private final Storage labels;
  private final Storage firstMoment;
  private final Storage secondMoment;
  private final Storage kept;
  private final Storage keptLoss = Storage.of("synthesis kept loss", TensorType.f32(1));
  private final Storage keptAt = Storage.of("synthesis kept iteration", TensorType.i64(1));
  private final Storage plateau = Storage.of("synthesis plateau", TensorType.f32(3));
  private final Storage iteration = Storage.of("synthesis iteration", TensorType.i64(1));
  private final Storage key = Storage.of("synthesis key", TensorType.i64(2));
  private final Storage order;
  private final Storage losses = Storage.of("synthesis losses", TensorType.f32(2));
  private final Program start;
  private final Program plain;
  private final Program augmented;
  private final StatisticsLoss statistics;
  private final Optional<RateTable> rates;
  private boolean[] augments;
  private final Readback readback;
  private int decided = -1;

  /**
   * Prepares synthesis for a teacher whose parameters lie on the device.
   *
   * @param units of the teacher, which the BN-statistic loss is stated in
   */
  public Synthesis(
      Memory memory, Parameters teacher, Units units, Recipe.Synthesis recipe, long seed) {
    this.memory = memory;
    this.recipe = recipe;
    this.seed = seed;
    model = teacher.model();
    batchType = Forward.images(model, recipe.batch());
    labelType = TensorType.i32(recipe.batch());
    pixels = Storage.of("synthesis pixels", batchType);
    labels = Storage.of("synthesis labels", labelType);
    firstMoment = Storage.of("synthesis first moment", batchType);
    secondMoment = Storage.of("synthesis second moment", batchType);
    kept = Storage.of("synthesis kept pixels", batchType);
    statistics = new StatisticsLoss(memory, units, "synthesis", recipe.statisticsWeight());
    rates =
        switch (recipe.schedule()) {
          case PLATEAU -> Optional.empty();
          case COSINE -> Optional.of(annealed());
        };
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
                new Readback.Source(memory.buffer(plateau), 0, 1),
                new Readback.Source(memory.buffer(keptLoss), 0, 1)));
    memory.buffer(order).upload(0, IntStream.range(0, recipe.batch()).toArray());
  }

  private RateTable annealed() {
    float[] values = new float[Math.ceilDiv(recipe.iterations(), RATE_ITERATIONS)];
    for (int i = 0; i < values.length; i++) {
      values[i] = recipe.annealed((long) i * RATE_ITERATIONS);
    }
    return new RateTable(memory, "synthesis learning rates", values, plateau, RATE_ITERATIONS);
  }

  private Graph startGraph() {
    Graph graph = new Graph();
    Value keyValue = graph.variable(key, TensorType.i64(2));
    graph.keep(
        graph.value(new Random.PhiloxNormal(Draw.SYNTHESIS_IMAGES.id(), batchType), keyValue),
        pixels);
    graph.keep(
        graph.value(
            new Random.PhiloxLabels(Draw.SYNTHESIS_LABELS.id(), recipe.batch(), model.classes()),
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
        Forward.of(graph, "teacher", model, teacher.values(graph), seen, new Mode.Evaluation());
    Node hard =
        graph.apply(new Loss.HardCrossEntropy(recipe.beta(), recipe.gamma()), forward.logits(), y);
    Value total = statistics.append(graph, forward, hard.output(0));
    Value gradient = Gradients.of(graph, total, List.of(x)).getFirst();
    graph.part("");
    Value completed = graph.variable(iteration, TensorType.i64(1));
    // Before the step: the loss is that of the pixels it was computed from.
    graph.apply(
        new Optimizer.KeepBestStep(),
        graph.variable(kept, batchType),
        graph.variable(keptLoss, TensorType.f32(1)),
        graph.variable(keptAt, TensorType.i64(1)),
        x,
        total,
        completed);
    Recipe.Plateau rule = recipe.plateau();
    graph.apply(
        new Optimizer.SampleStep(
            ADAM_BETA1,
            ADAM_BETA2,
            ADAM_EPSILON,
            rule.factor(),
            rule.threshold(),
            rule.minLearningRate(),
            PLATEAU_EPSILON,
            rates.isPresent() ? Integer.MAX_VALUE : rule.patience()),
        x,
        graph.variable(firstMoment, batchType),
        graph.variable(secondMoment, batchType),
        graph.variable(plateau, TensorType.f32(3)),
        completed,
        gradient,
        total);
    graph.apply(new Elementwise.CounterStep(), graph.variable(key, Long.BYTES, TensorType.i64(1)));
    graph.keep(total, losses, 0);
    graph.keep(hard.output(0), losses, Float.BYTES);
    return graph;
  }

  private Value cropped(Graph graph, Value x, Value keyValue) {
    // order[(step * n + i) % n] = i: every sample is its own crop's image.
    Value boxes =
        graph.value(
            new Random.Boxes(Draw.SYNTHESIS_CROPS.id(), recipe.batch(), CROP),
            keyValue,
            x,
            graph.variable(order, labelType));
    return graph.value(
        new Random.CropFlip(model.input().height(), model.input().width()), x, boxes);
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
    memory.buffer(keptLoss).upload(0, new float[] {Float.POSITIVE_INFINITY});
    rates.ifPresent(RateTable::forget);
    decide(batch);
  }

  /** One iteration on the current batch; {@code index} counts from 0 within it. */
  public void iterate(int batch, int index) {
    if (batch != decided) {
      // Also when an interrupted batch goes on, which does not begin anew.
      decide(batch);
    }
    rates.ifPresent(table -> table.at(index));
    if (augments[index]) {
      augmented.run();
    } else {
      plain.run();
    }
  }

  private void decide(int batch) {
    if (recipe.augment()) {
      augments = coins(seed, batch, recipe.iterations());
    }
    decided = batch;
  }

  /** The coins of a batch: which iterations augment. */
  static boolean[] coins(long seed, int batch, int iterations) {
    // Far apart for neighbouring seeds, so that no batch of one has the coins of another's.
    RandomGenerator random =
        RandomGeneratorFactory.of("L64X128MixRandom").create(seed * GOLDEN_RATIO + batch);
    boolean[] coins = new boolean[iterations];
    for (int index = 0; index < iterations; index++) {
      coins[index] = random.nextBoolean();
    }
    return coins;
  }

  /** Asks for the losses of the last iteration; the device need not wait for the answer. */
  public void fetchLosses() {
    readback.start();
  }

  /** Losses of the iteration they were fetched at, or of the last one. */
  public Losses losses() {
    float[] values = readback.values();
    return new Losses(values[0], values[1], values[2], values[3]);
  }

  /** Starts to watch what the optimiser does to the images. */
  SynthesisDiagnosis diagnosis() {
    return new SynthesisDiagnosis(memory, pixels, secondMoment, ADAM_BETA2);
  }

  /** Copies the finished batch, as it was when its loss was lowest, into the data set. */
  public void finish(int batch, DataSet dataSet) {
    memory.copy(kept, dataSet.images(), batch * batchType.bytes());
    memory.copy(labels, dataSet.labels(), batch * labelType.bytes());
  }

  /** What an interrupted batch needs to go on. */
  public List<Storage> state() {
    return List.of(
        pixels, labels, firstMoment, secondMoment, plateau, iteration, key, kept, keptLoss, keptAt);
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
    statistics.free();
    rates.ifPresent(RateTable::free);
    memory.free(losses);
    memory.free(order);
  }
}
