package org.hast4j.hast;

import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.hast4j.device.driver.Readback;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Mode;
import org.hast4j.forward.Parameters;
import org.hast4j.forward.QuantizationState;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Loss;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Random;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;
import org.hast4j.tensor.Shape;

/**
 * Looks at the student now and then: the distillation loss on fixed crops of images that
 * fine-tuning does not see. The best state is kept, on the device; a look is judged when the next
 * is due, so that nobody waits for it. A state much worse than the best has diverged.
 */
final class Looks implements AutoCloseable {
  /** Steps between looks. */
  static final int EVERY = 200;

  // Twice the best loss lies far outside of what looks scatter, and far below a collapse.
  private static final float DIVERGED = 2;
  private static final float SLOWER = .5f;
  private static final int PATIENCE = 10;
  private static final int MOST_CROPS = 256;
  private static final int CROPS_AN_IMAGE = 4;

  /**
   * What a look saw.
   *
   * @param rounding loss of the network as calibration rounded it
   * @param loss of the student
   * @param best the lowest so far
   * @param bestStep how many steps had been done then
   */
  record Judgement(float rounding, float loss, float best, long bestStep) {
    boolean diverged() {
      // A NaN compares as diverged.
      return !(loss <= DIVERGED * best);
    }
  }

  private final Memory memory;
  private final Parameters student;
  private final FineTuning fineTuning;
  private final int steps;
  private final int parts;
  private final Storage start = Storage.of("look key at the start", TensorType.i64(2));
  private final Storage key = Storage.of("look key", TensorType.i64(2));
  private final Storage order;
  private final Storage zero = Storage.of("look loss at the start", TensorType.f32(1));
  private final Storage loss = Storage.of("look loss", TensorType.f32(1));
  private final Storage rounding = Storage.of("look loss of rounding", TensorType.f32(1));
  private final Storage taken = Storage.of("looks taken", TensorType.i64(1));
  private final Storage kept;
  private final Storage keptLoss = Storage.of("look loss of the best", TensorType.f32(1));
  private final Storage keptAt = Storage.of("look of the best", TensorType.i64(1));
  private final Storage rollbacks = Storage.of("fine-tuning rollbacks", TensorType.i64(1));
  private final Program part;
  private final Program keep;
  private final Readback readback;
  private long rolledBack;

  /**
   * Prepares looks at a calibrated student.
   *
   * @param first the first image of the data set to look at, and all after it
   * @param steps of fine-tuning in all
   */
  Looks(
      Memory memory,
      Parameters teacher,
      Parameters student,
      QuantizationState quantization,
      DataSet dataSet,
      int first,
      FineTuning fineTuning,
      Recipe.FineTuning recipe,
      long seed) {
    this.memory = memory;
    this.student = student;
    this.fineTuning = fineTuning;
    steps = recipe.steps();
    int images = dataSet.count() - first;
    order = Storage.of("look order", TensorType.i32(images));
    kept = new Storage("best parameters", student.trainedStorage().bytes());
    int crops = Math.min(MOST_CROPS, images * CROPS_AN_IMAGE);
    int batch = Math.min(crops, Evaluation.batch(student.model()));
    parts = Math.ceilDiv(crops, batch);
    part =
        Program.compile(
            "look workspace",
            partGraph(teacher, quantization, dataSet, first, batch, recipe),
            memory);
    keep = Program.compile("look keeping", keepGraph(), memory);
    memory.buffer(order).upload(0, IntStream.range(0, images).toArray());
    memory.buffer(start).upload(0, new long[] {seed, 0});
    memory.buffer(keptLoss).upload(0, new float[] {Float.POSITIVE_INFINITY});
    memory.copy(student.trainedStorage(), kept, 0);
    readback =
        new Readback(
            memory.device(),
            List.of(
                new Readback.Source(memory.buffer(rounding), 0, 1),
                new Readback.Source(memory.buffer(loss), 0, 1),
                new Readback.Source(memory.buffer(keptLoss), 0, 1),
                new Readback.Source(memory.buffer(keptAt), 0, 2)));
  }

  /** Adds the mean loss of one batch of crops, divided by the number of batches, to the loss. */
  private Graph partGraph(
      Parameters teacher,
      QuantizationState quantization,
      DataSet dataSet,
      int first,
      int batch,
      Recipe.FineTuning recipe) {
    Graph graph = new Graph();
    Model model = student.model();
    Shape all = dataSet.imageType().shape();
    TensorType type = TensorType.f32(all.size(0) - first, all.size(1), all.size(2), all.size(3));
    long offset = dataSet.imageType().bytes() / all.size(0) * first;
    Value images = graph.variable(dataSet.images(), offset, type);
    Value boxes =
        graph.value(
            new Random.Boxes(Draw.LOOK_CROPS.id(), batch, FineTuning.crop(recipe)),
            graph.variable(key, TensorType.i64(2)),
            images,
            graph.variable(order, TensorType.i32(type.shape().size(0))));
    Value x =
        graph.value(
            new Random.CropFlip(model.input().height(), model.input().width()), images, boxes);
    Map<String, Value> weights =
        Parameters.quantized(graph, model, student.values(graph), quantization.scheme());
    Forward taught =
        Forward.of(graph, "look teacher", model, teacher.values(graph), x, new Mode.Evaluation());
    Forward learnt =
        Forward.of(
            graph,
            "look student",
            model,
            weights,
            x,
            new Mode.Quantized(quantization.quantizers()));
    Value distillation =
        graph.value(
            new Loss.DistillKl(recipe.temperature(), recipe.alpha() / parts),
            learnt.logits(),
            taught.logits());
    Value sum =
        graph.value(new Elementwise.Add(), graph.variable(loss, TensorType.f32(1)), distillation);
    graph.keep(sum, loss);
    graph.apply(new Elementwise.CounterStep(), graph.variable(key, Long.BYTES, TensorType.i64(1)));
    return graph;
  }

  private Graph keepGraph() {
    Graph graph = new Graph();
    TensorType vector = Parameters.vector(student.trained());
    Value count = graph.variable(taken, TensorType.i64(1));
    graph.apply(
        new Optimizer.KeepBestStep(),
        graph.variable(kept, vector),
        graph.variable(keptLoss, TensorType.f32(1)),
        graph.variable(keptAt, TensorType.i64(1)),
        graph.variable(student.trainedStorage(), vector),
        graph.variable(loss, TensorType.f32(1)),
        count);
    graph.apply(new Elementwise.CounterStep(), count);
    return graph;
  }

  /** Looks at the network as calibration rounded it. */
  void begin() {
    look();
    memory.copy(loss, rounding, 0);
  }

  /** Looks at the student as it is now; what is seen is told by the next {@link #judge}. */
  void look() {
    memory.copy(start, key, 0);
    memory.copy(zero, loss, 0);
    for (int i = 0; i < parts; i++) {
      part.run();
    }
    keep.run();
  }

  /** Has the device send what the last look saw. */
  void fetch() {
    readback.start();
  }

  /** What the last look saw. */
  Judgement judge() {
    float[] values = readback.values();
    // The count of looks comes as the bits of two floats, and the upper half is 0.
    long look = Float.floatToRawIntBits(values[3]);
    return new Judgement(values[0], values[1], values[2], Math.min(look * EVERY, steps));
  }

  /** Puts the best state so far back into the student, and goes on from there at a lower rate. */
  void rollBack() {
    restoreBest();
    rolledBack++;
    memory.buffer(rollbacks).upload(0, new long[] {rolledBack});
    fineTuning.forgetMomentum();
    fineTuning.scaleRate(factor());
  }

  /** Puts the best state so far back into the student. */
  void restoreBest() {
    memory.copy(kept, student.trainedStorage(), 0);
  }

  /** How often the student was put back. */
  long rollbacks() {
    return rolledBack;
  }

  /** Whether the student was put back so often that there is no point in going on. */
  boolean hopeless() {
    return rolledBack >= PATIENCE;
  }

  private float factor() {
    return (float) Math.pow(SLOWER, rolledBack);
  }

  /** Takes up the rate that an interrupted run had come to; its state has been put back. */
  void resume() {
    long[] count = new long[1];
    memory.buffer(rollbacks).download(0, count);
    rolledBack = count[0];
    fineTuning.scaleRate(factor());
  }

  /** What an interrupted fine-tuning needs to go on. */
  List<Storage> state() {
    return List.of(loss, rounding, taken, kept, keptLoss, keptAt, rollbacks);
  }

  @Override
  public void close() {
    readback.close();
    part.close();
    keep.close();
    state().forEach(memory::free);
    for (Storage storage : List.of(start, key, order, zero)) {
      memory.free(storage);
    }
  }
}
