package org.hast4j.hast;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hast4j.device.driver.Readback;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Mode;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.forward.Parameters;
import org.hast4j.forward.QuantizationState;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Gradients;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Lane;
import org.hast4j.graph.Loss;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Random;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;

/**
 * Fine-tuning of the quantised student (paper sections 3.3 and 3.4, algorithm section 3):
 * distillation and feature alignment on random crops of the data set, then once more on the same
 * crops made harder by a sign step up the loss, and an SGD step on the sum. Four forward passes,
 * three data gradients and two weight gradients.
 */
final class FineTuning implements AutoCloseable {
  private static final float RATIO_MIN = 3f / 4;
  private static final float RATIO_MAX = 4f / 3;

  /**
   * Losses of the last step on clean and on promoted samples (0 without promotion), and their
   * distillation parts.
   */
  public record Losses(
      float clean, float promoted, float cleanDistillation, float promotedDistillation) {}

  private final Memory memory;
  private final Recipe.FineTuning recipe;
  private final Parameters student;
  private final Storage key = Storage.of("fine-tuning key", TensorType.i64(2));
  private final Storage momentum;
  // Package-private: the golden vectors hold them.
  final Storage cleanGradients;
  final Storage promotedGradients;
  private final Storage learningRate = Storage.of("fine-tuning learning rate", TensorType.f32(1));
  private final RateTable learningRates;
  private final Optional<Storage> rates;
  private final Storage losses = Storage.of("fine-tuning losses", TensorType.f32(4));
  private final Program program;
  private final Readback readback;

  /**
   * Prepares fine-tuning of a calibrated student; the teacher's parameters lie on the device too.
   *
   * @param units of the teacher, which the learning rate is stated in
   * @param dataSet images to train on
   */
  public FineTuning(
      Memory memory,
      Units units,
      Parameters teacher,
      Parameters student,
      QuantizationState quantization,
      DataSet dataSet,
      Recipe.FineTuning recipe,
      long seed) {
    this(
        memory,
        units,
        teacher,
        student,
        quantization,
        recipe,
        seed,
        (graph, key) -> crops(graph, key, dataSet, recipe));
  }

  /** Appends what a step trains on to its graph. */
  @FunctionalInterface
  interface Batch {
    Value append(Graph graph, Value key);
  }

  /** Fine-tuning on batches of the caller's choice. */
  FineTuning(
      Memory memory,
      Units units,
      Parameters teacher,
      Parameters student,
      QuantizationState quantization,
      Recipe.FineTuning recipe,
      long seed,
      Batch batch) {
    this.memory = memory;
    this.recipe = recipe;
    this.student = student;
    TensorType vector = Parameters.vector(student.trained());
    momentum = Storage.of("fine-tuning momentum", vector);
    cleanGradients = Storage.of("clean gradients", vector);
    promotedGradients = Storage.of("promoted gradients", vector);
    rates =
        units
            .rates(student.trained(), recipe.otherRate())
            .map(
                values -> {
                  Storage storage = Storage.of("fine-tuning rates", vector);
                  memory.buffer(storage).upload(0, values);
                  return storage;
                });
    Graph graph = new Graph();
    append(
        graph, teacher, quantization, batch.append(graph, graph.variable(key, TensorType.i64(2))));
    graph.apply(new Elementwise.CounterStep(), graph.variable(key, Long.BYTES, TensorType.i64(1)));
    program = Program.compile("fine-tuning workspace", graph, memory);
    readback =
        new Readback(memory.device(), List.of(new Readback.Source(memory.buffer(losses), 0, 4)));
    memory.buffer(key).upload(0, new long[] {seed, 0});
    // Without a step the first rate is there all the same: a tensor cannot be empty.
    float[] epochs = new float[Math.max(1, Math.ceilDiv(recipe.steps(), recipe.epochSteps()))];
    for (int epoch = 0; epoch < epochs.length; epoch++) {
      epochs[epoch] = recipe.learningRate(epoch);
    }
    learningRates =
        new RateTable(
            memory, "fine-tuning learning rates", epochs, learningRate, recipe.epochSteps());
  }

  private static Value crops(Graph graph, Value key, DataSet dataSet, Recipe.FineTuning recipe) {
    Value images = graph.variable(dataSet.images(), dataSet.imageType());
    Value boxes =
        graph.value(
            new Random.Boxes(Draw.FINE_TUNING_CROPS.id(), recipe.batch(), crop(recipe)),
            key,
            images);
    return graph.value(new Random.CropFlip(images.size(1), images.size(2)), images, boxes);
  }

  /** How fine-tuning crops its samples. */
  static Random.Augmentation crop(Recipe.FineTuning recipe) {
    return new Random.Augmentation.ResizedCrop(recipe.cropScaleMin(), 1, RATIO_MIN, RATIO_MAX);
  }

  /** Appends everything one step does with a batch. */
  private void append(Graph graph, Parameters teacher, QuantizationState quantization, Value x) {
    Model model = student.model();
    Map<String, Value> teacherValues = teacher.values(graph);
    Map<String, Value> studentValues = student.values(graph);
    graph.lane(Lane.SIDE);
    Map<String, Value> weights =
        Parameters.quantized(graph, model, studentValues, quantization.scheme());
    graph.lane(Lane.MAIN);
    Mode quantized = new Mode.Quantized(quantization.quantizers(), recipe.straightThrough());
    List<Value> parameters = student.trained().names().stream().map(studentValues::get).toList();

    Pass clean = pass(graph, "clean", teacherValues, weights, quantized, x);
    keepLosses(graph, clean, 0);
    List<Value> wrt = new ArrayList<>(parameters);
    if (recipe.promotion()) {
      wrt.add(x);
    }
    List<Value> gradients = Gradients.of(graph, clean.loss(), wrt);
    keepGradients(graph, gradients, cleanGradients);
    TensorType vector = Parameters.vector(student.trained());
    Value gradient = graph.variable(cleanGradients, vector);
    if (recipe.promotion()) {
      graph.part("promotion");
      Value harder =
          graph.value(new Elementwise.SignPerturb(recipe.epsilon()), x, gradients.getLast());
      Pass promoted = pass(graph, "promoted", teacherValues, weights, quantized, harder);
      keepLosses(graph, promoted, 1);
      keepGradients(graph, Gradients.of(graph, promoted.loss(), parameters), promotedGradients);
      graph.part("");
      gradient =
          graph.value(new Elementwise.Add(), gradient, graph.variable(promotedGradients, vector));
    }
    graph.part("");
    step(graph, gradient);
  }

  private void step(Graph graph, Value gradient) {
    TensorType vector = Parameters.vector(student.trained());
    Value parameters = graph.variable(student.trainedStorage(), vector);
    List<Value> inputs =
        new ArrayList<>(
            List.of(
                parameters,
                graph.variable(momentum, vector),
                gradient,
                graph.variable(learningRate, TensorType.f32(1))));
    rates.ifPresent(storage -> inputs.add(graph.variable(storage, vector)));
    graph.apply(
        new Optimizer.SgdStep(recipe.momentum(), recipe.weightDecay(), true),
        inputs.toArray(Value[]::new));
  }

  private record Pass(Value loss, Value distillation) {}

  private Pass pass(
      Graph graph,
      String name,
      Map<String, Value> teacherValues,
      Map<String, Value> weights,
      Mode quantized,
      Value x) {
    Model model = student.model();
    graph.lane(Lane.BRANCH);
    Forward taught =
        Forward.of(graph, name + " teacher", model, teacherValues, x, new Mode.Evaluation());
    graph.lane(Lane.MAIN);
    Forward learnt = Forward.of(graph, name + " student", model, weights, x, quantized);
    graph.part(name);
    Value distillation =
        graph.value(
            new Loss.DistillKl(recipe.temperature(), recipe.alpha()),
            learnt.logits(),
            taught.logits());
    Value loss = distillation;
    if (recipe.alignment() && !learnt.taps().isEmpty()) {
      loss = graph.value(new Elementwise.Add(), distillation, alignment(graph, learnt, taught));
    }
    return new Pass(loss, distillation);
  }

  /** The sum of the taps' losses, off the main lane: most taps are there long before the logits. */
  private Value alignment(Graph graph, Forward learnt, Forward taught) {
    Lane lane = graph.lane(Lane.SIDE);
    Value sum = null;
    for (int tap = 0; tap < learnt.taps().size(); tap++) {
      Forward.Tap own = learnt.taps().get(tap);
      Value other = taught.taps().get(tap).attention();
      Loss.FeatureAlign align = new Loss.FeatureAlign(own.area(), recipe.lambda(), sum != null);
      sum =
          sum == null
              ? graph.value(align, own.attention(), other)
              : graph.value(align, own.attention(), other, sum);
    }
    graph.lane(lane);
    return sum;
  }

  private void keepLosses(Graph graph, Pass pass, int index) {
    graph.keep(pass.loss(), losses, (long) index * Float.BYTES);
    if (recipe.alignment()) {
      graph.keep(pass.distillation(), losses, (2L + index) * Float.BYTES);
    }
  }

  private void keepGradients(Graph graph, List<Value> gradients, Storage storage) {
    int index = 0;
    for (String name : student.trained().names()) {
      ParameterLayout.Entry slot = student.trained().get(name);
      graph.keep(gradients.get(index++), storage, slot.offset());
    }
  }

  /** One step; {@code step} counts from 0 and decides the learning rate. */
  public void iterate(long step) {
    learningRates.at(step);
    program.run();
  }

  /** Learning rate of a step, counted from 0. */
  public float learningRate(long step) {
    return learningRates.rate(step);
  }

  /** Multiplies the recipe's rates from here on. */
  void scaleRate(float factor) {
    learningRates.scale(factor);
  }

  /** Goes on as if the student had never moved. */
  void forgetMomentum() {
    memory.buffer(momentum).clear();
  }

  /** Asks for the losses of the last step; the device need not wait for the answer. */
  public void fetchLosses() {
    readback.start();
  }

  /** Losses of the step they were fetched at, or of the last one. */
  public Losses losses() {
    float[] values = readback.values();
    // Without alignment distillation is all there is.
    return recipe.alignment()
        ? new Losses(values[0], values[1], values[2], values[3])
        : new Losses(values[0], values[1], values[0], values[1]);
  }

  /** What an interrupted fine-tuning needs to go on. */
  public List<Storage> state() {
    return List.of(student.trainedStorage(), student.statisticsStorage(), momentum, key);
  }

  /** Kernels and copies that an iteration launches. */
  public long launches() {
    return program.launches();
  }

  /** One run's seconds per operation. */
  public Map<String, Double> profile() {
    return program.profile();
  }

  @Override
  public void close() {
    readback.close();
    program.close();
    for (Storage storage :
        List.of(key, momentum, cleanGradients, promotedGradients, learningRate, losses)) {
      memory.free(storage);
    }
    learningRates.free();
    rates.ifPresent(memory::free);
  }
}
