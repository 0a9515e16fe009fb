package org.hast4j.hast;

import java.util.List;
import java.util.Map;
import org.hast4j.exec.Memory;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Mode;
import org.hast4j.forward.Parameters;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Gradients;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Loss;
import org.hast4j.graph.Node;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;

/**
 * Trains the calibration generator by one Adam step per batch: cross-entropy of the teacher plus a
 * little of the BN-statistic loss (algorithm section 3).
 */
final class GeneratorTraining {
  private static final float ADAM_BETA1 = .5f;
  private static final float ADAM_BETA2 = .999f;
  private static final float ADAM_EPSILON = 1e-8f;

  private final Recipe.Calibration recipe;
  private final Generator generator;
  private final TensorType vector;
  private final Storage firstMoment;
  private final Storage secondMoment;
  private final Storage gradients;
  private final Storage learningRate = Storage.of("generator learning rate", TensorType.f32(1));
  private final Storage iteration = Storage.of("generator iteration", TensorType.i64(1));
  private final Storage loss = Storage.of("generator loss", TensorType.f32(1));

  GeneratorTraining(Generator generator, Recipe.Calibration recipe) {
    this.recipe = recipe;
    this.generator = generator;
    vector = Parameters.vector(generator.layout());
    firstMoment = Storage.of("generator first moment", vector);
    secondMoment = Storage.of("generator second moment", vector);
    gradients = Storage.of("generator gradients", vector);
  }

  /** Random weights, fresh optimiser. */
  void begin(Memory memory, Map<String, float[]> weights) {
    weights.forEach(
        (name, values) ->
            memory
                .buffer(generator.storage())
                .upload(generator.layout().get(name).offset(), values));
    memory.buffer(firstMoment).clear();
    memory.buffer(secondMoment).clear();
    memory.buffer(iteration).upload(0, new long[] {0});
    memory.buffer(learningRate).upload(0, new float[] {recipe.learningRate()});
  }

  /**
   * Appends the generation of a batch and a training step.
   *
   * @return the images, made before the step
   */
  Value append(
      Graph graph, Parameters teacher, Value noise, Value labels, StatisticsLoss statistics) {
    Map<String, Value> parameters = generator.values(graph);
    Value images = generator.forward(graph, parameters, noise, labels);
    Forward forward =
        Forward.of(
            graph,
            "teacher",
            teacher.model(),
            teacher.values(graph),
            images,
            new Mode.Evaluation());
    Node crossEntropy = graph.apply(new Loss.HardCrossEntropy(1, 0), forward.logits(), labels);
    Value total = statistics.append(graph, forward, crossEntropy.output(0));
    graph.keep(total, loss);
    List<String> names = List.copyOf(generator.layout().names());
    List<Value> grads = Gradients.of(graph, total, names.stream().map(parameters::get).toList());
    for (int i = 0; i < names.size(); i++) {
      graph.keep(grads.get(i), gradients, generator.layout().get(names.get(i)).offset());
    }
    graph.part("generator");
    Value done = graph.variable(iteration, TensorType.i64(1));
    graph.apply(
        new Optimizer.AdamStep(ADAM_BETA1, ADAM_BETA2, ADAM_EPSILON),
        graph.variable(generator.storage(), vector),
        graph.variable(firstMoment, vector),
        graph.variable(secondMoment, vector),
        graph.variable(gradients, vector),
        graph.variable(learningRate, TensorType.f32(1)),
        done);
    graph.apply(new Elementwise.CounterStep(), done);
    return images;
  }

  float loss(Memory memory) {
    return memory.floats(loss)[0];
  }

  /** What an interrupted calibration needs to go on. */
  List<Storage> state() {
    // The loss too: a run may stop between the last iteration and the report of its loss.
    return List.of(generator.storage(), firstMoment, secondMoment, iteration, loss);
  }

  void free(Memory memory) {
    state().forEach(memory::free);
    memory.free(gradients);
    memory.free(learningRate);
  }
}
