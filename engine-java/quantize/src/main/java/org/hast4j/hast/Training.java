package org.hast4j.hast;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.hast4j.data.ImageSet;
import org.hast4j.device.Device;
import org.hast4j.device.driver.Readback;
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
import org.hast4j.graph.Node;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Random;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.nn.Network;

/**
 * Full-precision training on labelled images: cross-entropy, SGD with Nesterov momentum, one-cycle
 * learning rate, shifts and flips. Each epoch visits every image once, in an order that depends on
 * the seed and the epoch alone.
 */
public final class Training implements AutoCloseable {
  private static final float MOMENTUM = .9f;
  private static final float STATISTICS_MOMENTUM = .1f;
  private static final String IDENTITY = "training";
  private static final String STEP = "step";

  /**
   * How to train.
   *
   * @param epochs passes over the images
   * @param batch images per step
   * @param peakLearningRate reached after {@code warmup} of all steps, then lowered to 0 along a
   *     cosine
   * @param warmup share of the steps that raise the learning rate from 0
   * @param weightDecay on every parameter
   * @param pad largest shift, pixels
   */
  public record Schedule(
      int epochs, int batch, float peakLearningRate, float warmup, float weightDecay, int pad) {
    /** Learning rate of a step. */
    public float learningRate(long step, long steps) {
      double raise = warmup * steps;
      double share =
          step < raise
              ? step / raise
              : .5 * (1 + Math.cos(Math.PI * (step - raise) / (steps - raise)));
      return (float) (peakLearningRate * share);
    }
  }

  private final Memory memory;
  private final Model model;
  private final Normalization normalization;
  private final Schedule schedule;
  private final long seed;
  private final int images;
  private final Parameters parameters;
  private final Storage momentum;
  private final Storage key = Storage.of("training key", TensorType.i64(2));
  private final Storage learningRate = Storage.of("training learning rate", TensorType.f32(1));
  private final Storage learningRates;
  private final Storage loss = Storage.of("training loss", TensorType.f32(1));
  private final Storage gradients;
  private final Storage dataSet;
  private final Storage labels;
  private final Storage order;
  private final Program program;
  private final Readback readback;
  private long step;

  /**
   * Prepares training from random weights.
   *
   * @param device to be closed after this
   */
  public Training(
      Device device,
      Model model,
      ImageSet set,
      Normalization normalization,
      Schedule schedule,
      long seed) {
    if (set.classes() != model.classes()) {
      throw new RefusedException(
          "%s tells %d classes apart, the images have %d"
              .formatted(model.name(), model.classes(), set.classes()));
    }
    if (schedule.batch() < 1 || schedule.batch() > set.count()) {
      throw new RefusedException(
          "batches of %d images cannot be drawn from %d: choose a batch from 1 to %d"
              .formatted(schedule.batch(), set.count(), set.count()));
    }
    this.model = model;
    this.normalization = normalization;
    this.schedule = schedule;
    this.seed = seed;
    images = set.count();
    parameters = new Parameters(model, "trained");
    TensorType vector = Parameters.vector(parameters.trained());
    momentum = Storage.of("training momentum", vector);
    gradients = Storage.of("training gradients", vector);
    TensorType poolType = TensorType.f32(images, set.height(), set.width(), set.channels());
    dataSet = Storage.of("training images", poolType);
    labels = Storage.of("training labels", TensorType.i32(images));
    order = Storage.of("training order", TensorType.i32(images));
    learningRates = Storage.of("training learning rates", TensorType.f32(stepsPerEpoch()));
    memory = new Memory(device);
    try {
      program = Program.compile("training workspace", graph(poolType, vector), memory);
      parameters.upload(
          memory, new Network(model, normalization, Initialization.network(model, seed)));
      memory.buffer(key).upload(0, new long[] {seed, 0});
      new DataSet(dataSet, labels, poolType).upload(memory, set, normalization);
      readback =
          new Readback(memory.device(), List.of(new Readback.Source(memory.buffer(loss), 0, 1)));
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    }
  }

  private Graph graph(TensorType poolType, TensorType vector) {
    Graph graph = new Graph();
    Value keyValue = graph.variable(key, TensorType.i64(2));
    Value imagesValue = graph.variable(dataSet, poolType);
    Value orderValue = graph.variable(order, TensorType.i32(images));
    Value boxes =
        graph.value(
            new Random.Boxes(
                Draw.TRAINING_SHIFTS.id(),
                schedule.batch(),
                new Random.Augmentation.Shift(schedule.pad(), true)),
            keyValue,
            imagesValue,
            orderValue);
    Value x =
        graph.value(
            new Random.CropFlip(model.input().height(), model.input().width()), imagesValue, boxes);
    Value y =
        graph.value(
            new Random.GatherLabels(), graph.variable(labels, TensorType.i32(images)), boxes);
    Map<String, Value> values = parameters.values(graph);
    Forward forward =
        Forward.of(graph, "network", model, values, x, new Mode.Training(STATISTICS_MOMENTUM));
    Node crossEntropy = graph.apply(new Loss.HardCrossEntropy(1, 0), forward.logits(), y);
    graph.keep(crossEntropy.output(0), loss);
    List<String> names = List.copyOf(parameters.trained().names());
    List<Value> grads =
        Gradients.of(graph, crossEntropy.output(0), names.stream().map(values::get).toList());
    for (int i = 0; i < names.size(); i++) {
      graph.keep(grads.get(i), gradients, parameters.trained().get(names.get(i)).offset());
    }
    graph.part("");
    graph.apply(
        new Optimizer.SgdStep(MOMENTUM, schedule.weightDecay(), true),
        graph.variable(parameters.trainedStorage(), vector),
        graph.variable(momentum, vector),
        graph.variable(gradients, vector),
        graph.variable(learningRate, TensorType.f32(1)));
    graph.apply(new Elementwise.CounterStep(), graph.variable(key, Long.BYTES, TensorType.i64(1)));
    return graph;
  }

  /**
   * Steps of one epoch; the last images of an order that do not fill a batch wait for another
   * epoch.
   */
  public int stepsPerEpoch() {
    return images / schedule.batch();
  }

  private long steps() {
    return (long) schedule.epochs() * stepsPerEpoch();
  }

  /** Hears each step and its loss. */
  @FunctionalInterface
  public interface Listener {
    void step(long step, long steps, float loss);
  }

  /**
   * Trains one epoch.
   *
   * @return the mean loss
   * @throws DivergedException if the loss is no longer a number
   */
  public double epoch(Listener listener) {
    // The kernel takes order[(step * batch + i) % images]: start every epoch at index 0.
    memory.buffer(order).upload(0, permutation(step / stepsPerEpoch()));
    memory.buffer(key).upload(Long.BYTES, new long[] {0});
    memory.buffer(key).upload(0, new long[] {seed + step});
    memory.buffer(learningRates).upload(0, rates());
    double sum = 0;
    for (int i = 0; i < stepsPerEpoch(); i++) {
      memory.copy(learningRates, (long) i * Float.BYTES, learningRate, 0, Float.BYTES);
      program.run();
      // The loss of the step before: the device need not wait for the host to read it.
      if (i > 0) {
        sum += hear(listener);
      }
      readback.start();
    }
    sum += hear(listener);
    return sum / stepsPerEpoch();
  }

  /** Learning rates of the next epoch's steps. */
  private float[] rates() {
    float[] rates = new float[stepsPerEpoch()];
    for (int i = 0; i < rates.length; i++) {
      rates[i] = schedule.learningRate(step + i, steps());
    }
    return rates;
  }

  private float hear(Listener listener) {
    float value = readback.values()[0];
    if (!Float.isFinite(value)) {
      throw new DivergedException(
          "the loss became %s at step %d: lower the learning rate".formatted(value, step));
    }
    step++;
    listener.step(step, steps(), value);
    return value;
  }

  private int[] permutation(long epoch) {
    RandomGenerator random =
        RandomGeneratorFactory.of("L64X128MixRandom").create(seed * 1_000_003 + epoch);
    int[] permutation = new int[images];
    for (int i = 0; i < images; i++) {
      int j = random.nextInt(i + 1);
      permutation[i] = permutation[j];
      permutation[j] = i;
    }
    return permutation;
  }

  /** The network as trained so far. */
  public Network network() {
    return new Network(model, normalization, parameters.download(memory));
  }

  /** Steps done so far, a whole number of epochs. */
  public long step() {
    return step;
  }

  /** Writes what it takes to go on after the last epoch. */
  public void save(Path file) {
    SafetensorsWriter writer =
        new SafetensorsWriter().metadata(IDENTITY, identity()).metadata(STEP, Long.toString(step));
    Snapshot.put(writer, memory, state());
    writer.write(file);
  }

  /**
   * Goes on from where {@link #save} left off; the result is that of a training that never stopped.
   *
   * @throws RefusedException if the file is of another training
   */
  public void restore(Path file) {
    Map<String, String> metadata = Safetensors.read(file).metadata();
    if (!metadata.containsKey(IDENTITY) || !metadata.containsKey(STEP)) {
      throw new CorruptFileException(file, "it is not a checkpoint of a training");
    }
    if (!metadata.get(IDENTITY).equals(identity())) {
      throw new RefusedException(
          "%s is of another training (%s) than asked for (%s)"
              .formatted(file, metadata.get(IDENTITY), identity()));
    }
    long done = Snapshot.count(file, metadata, STEP);
    if (done > steps() || done % stepsPerEpoch() != 0) {
      throw new CorruptFileException(
          file,
          "it stands at step %d of %d, %d an epoch".formatted(done, steps(), stepsPerEpoch()));
    }
    Snapshot.restore(file, memory, state());
    step = done;
  }

  private String identity() {
    return "%s, seed %d, %d images, %s, %s"
        .formatted(model.name(), seed, images, normalization, schedule);
  }

  private List<Storage> state() {
    return List.of(parameters.trainedStorage(), parameters.statisticsStorage(), momentum);
  }

  /** Evaluates the network as it is at the time, between epochs; to be closed before this. */
  public Evaluation evaluation() {
    return Evaluation.of(memory, parameters);
  }

  /** One run's seconds per operation. */
  public Map<String, Double> profile() {
    return program.profile();
  }

  @Override
  public void close() {
    readback.close();
    memory.close();
  }
}
