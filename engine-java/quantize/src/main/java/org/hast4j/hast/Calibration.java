package org.hast4j.hast;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Mode;
import org.hast4j.forward.Parameters;
import org.hast4j.forward.QuantizationState;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Random;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;

/**
 * Calibration of activation ranges (algorithm section 3): the student sees images and every
 * activation quantiser tracks its range. The images come from a small generator trained along the
 * way, as in the released code, or from the data set, cropped as fine-tuning crops them.
 */
final class Calibration implements AutoCloseable {
  private final Memory memory;
  private final QuantizationState quantization;
  private final Storage key = Storage.of("calibration key", TensorType.i64(2));
  private final Optional<GeneratorTraining> generator;
  private final StatisticsLoss statistics;
  private final Program program;

  /**
   * Prepares calibration from scratch of a student whose parameters lie on the device.
   *
   * @param units of the teacher, which the BN-statistic loss of the generator is stated in
   * @param dataSet images to draw from when the recipe calibrates on them
   * @param crop how they are cropped
   */
  public Calibration(
      Memory memory,
      Units units,
      Parameters teacher,
      Parameters student,
      QuantizationState quantization,
      DataSet dataSet,
      Random.Augmentation crop,
      Recipe.Calibration recipe,
      long seed) {
    this.memory = memory;
    this.quantization = quantization;
    Model model = student.model();
    Graph graph = new Graph();
    Value keyValue = graph.variable(key, TensorType.i64(2));
    statistics = new StatisticsLoss(memory, units, "calibration", recipe.statisticsWeight());
    generator =
        switch (recipe.source()) {
          case GENERATOR -> Optional.of(generator(model, recipe, seed));
          case SYNTHETIC -> Optional.empty();
        };
    Value images =
        generator
            .map(training -> generated(graph, training, teacher, keyValue, recipe))
            .orElseGet(() -> drawn(graph, model, dataSet, crop, keyValue, recipe));
    append(graph, student, quantization, images, recipe);
    graph.apply(new Elementwise.CounterStep(), graph.variable(key, Long.BYTES, TensorType.i64(1)));
    program = Program.compile("calibration workspace", graph, memory);
    memory.buffer(key).upload(0, new long[] {seed, 0});
    quantization.resetRanges(memory);
  }

  private GeneratorTraining generator(Model model, Recipe.Calibration recipe, long seed) {
    Generator network = new Generator(recipe.latent(), model);
    GeneratorTraining training = new GeneratorTraining(network, recipe);
    training.begin(memory, Initialization.generator(network, seed));
    return training;
  }

  private Value generated(
      Graph graph,
      GeneratorTraining training,
      Parameters teacher,
      Value key,
      Recipe.Calibration recipe) {
    TensorType noise = TensorType.f32(recipe.batch(), recipe.latent());
    int classes = teacher.model().classes();
    return training.append(
        graph,
        teacher,
        graph.value(new Random.PhiloxNormal(Draw.CALIBRATION_NOISE.id(), noise), key),
        graph.value(
            new Random.PhiloxLabels(Draw.CALIBRATION_LABELS.id(), recipe.batch(), classes), key),
        statistics);
  }

  private static Value drawn(
      Graph graph,
      Model model,
      DataSet dataSet,
      Random.Augmentation crop,
      Value key,
      Recipe.Calibration recipe) {
    Value all = graph.variable(dataSet.images(), dataSet.imageType());
    Value boxes =
        graph.value(new Random.Boxes(Draw.CALIBRATION_CROPS.id(), recipe.batch(), crop), key, all);
    return graph.value(
        new Random.CropFlip(model.input().height(), model.input().width()), all, boxes);
  }

  /** Appends the student's pass over a batch, which moves the ranges. */
  static void append(
      Graph graph,
      Parameters student,
      QuantizationState quantization,
      Value images,
      Recipe.Calibration recipe) {
    Map<String, Value> weights =
        Parameters.quantized(graph, student.model(), student.values(graph), quantization.scheme());
    Mode mode =
        new Mode.Calibrating(
            quantization.quantizers(),
            quantization.rangeStates(),
            recipe.momentum(),
            recipe.rule());
    Forward.of(graph, "student", student.model(), weights, images, mode);
  }

  /** One batch. */
  public void iterate() {
    program.run();
  }

  /** The generator's loss on the last batch, if there is a generator. */
  public OptionalDouble loss() {
    return generator.isPresent()
        ? OptionalDouble.of(generator.get().loss(memory))
        : OptionalDouble.empty();
  }

  /** What an interrupted calibration needs to go on. */
  public List<Storage> state() {
    List<Storage> state =
        new ArrayList<>(List.of(key, quantization.ranges(), quantization.rangeStates()));
    generator.ifPresent(training -> state.addAll(training.state()));
    return state;
  }

  @Override
  public void close() {
    program.close();
    memory.free(key);
    statistics.free();
    generator.ifPresent(training -> training.free(memory));
  }
}
