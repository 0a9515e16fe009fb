package org.hast4j.hast;

import org.hast4j.data.ImageSet;
import org.hast4j.data.Normalization;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.nn.Forward;
import org.hast4j.nn.Mode;
import org.hast4j.nn.Parameters;
import org.hast4j.nn.Topology;

/** Classifies images with a network, float or quantised, and counts what it gets right. */
public final class Evaluation implements AutoCloseable {
  /** Images per run of the program: enough to keep every core busy, small enough to stay near the caches. */
  public static final int BATCH = 128;

  private final Memory memory;
  private final Topology topology;
  private final Storage images;
  private final Storage logits;
  private final Program program;

  private Evaluation(Memory memory, Topology topology, Storage images, Storage logits, Program program) {
    this.memory = memory;
    this.topology = topology;
    this.images = images;
    this.logits = logits;
    this.program = program;
  }

  /** Evaluates parameters as they lie on the device, float weights and activations. */
  public static Evaluation of(Memory memory, Parameters parameters) {
    return of(memory, parameters, 0, new Mode.Evaluation());
  }

  /**
   * Evaluates parameters as they lie on the device.
   *
   * @param weightBits quantises weights on the fly; 0 takes them as they are
   * @param mode {@link Mode.Evaluation} or {@link Mode.Quantised}
   */
  public static Evaluation of(Memory memory, Parameters parameters, int weightBits, Mode mode) {
    Topology topology = parameters.topology();
    Graph graph = new Graph();
    TensorType batch = TensorType.f32(BATCH, topology.height(), topology.width(), topology.channels());
    Storage images = Storage.of("evaluation images", batch);
    Storage logits = Storage.of("evaluation logits", TensorType.f32(BATCH, topology.classes()));
    var values = parameters.values(graph);
    if (weightBits > 0) {
      values = Parameters.quantised(graph, topology, values, weightBits);
    }
    Value x = graph.variable(images, batch);
    graph.keep(Forward.of(graph, "evaluation", topology, values, x, mode).logits(), logits);
    return new Evaluation(
        memory, topology, images, logits, Program.compile("evaluation workspace", graph, memory));
  }

  /** Hears the progress of an evaluation: images done. */
  @FunctionalInterface
  public interface Progress {
    void done(int images);
  }

  /**
   * Logits of images.
   *
   * @param pixels [count, h, w, c], normalised
   * @return [count, classes]
   */
  public float[] logits(float[] pixels, int count) {
    int size = topology.height() * topology.width() * topology.channels();
    if (pixels.length != count * size) {
      throw new IllegalArgumentException(
          "%d images of %d values expected, got %d values".formatted(count, size, pixels.length));
    }
    float[] all = new float[count * topology.classes()];
    float[] in = new float[BATCH * size];
    float[] out = new float[BATCH * topology.classes()];
    for (int start = 0; start < count; start += BATCH) {
      int n = Math.min(BATCH, count - start);
      System.arraycopy(pixels, start * size, in, 0, n * size);
      run(in, out);
      System.arraycopy(out, 0, all, start * topology.classes(), n * topology.classes());
    }
    return all;
  }

  private void run(float[] in, float[] out) {
    memory.buffer(images).upload(0, in);
    program.run();
    memory.buffer(logits).download(0, out);
  }

  /**
   * The class each image is given.
   *
   * @throws IllegalArgumentException if the images are not of the network's size
   */
  public int[] classify(ImageSet set, Normalization normalization, Progress progress) {
    if (set.height() != topology.height() || set.width() != topology.width() || set.channels() != topology.channels()) {
      throw new IllegalArgumentException(
          "%s takes %dx%dx%d images, these are %dx%dx%d"
              .formatted(
                  topology.name(), topology.height(), topology.width(), topology.channels(),
                  set.height(), set.width(), set.channels()));
    }
    int[] classes = new int[set.count()];
    float[] in = new float[BATCH * set.imageSize()];
    float[] out = new float[BATCH * topology.classes()];
    for (int start = 0; start < set.count(); start += BATCH) {
      int n = Math.min(BATCH, set.count() - start);
      set.normalize(start, start + n, normalization, in);
      run(in, out);
      for (int i = 0; i < n; i++) {
        classes[start + i] = argmax(out, i * topology.classes(), topology.classes());
      }
      progress.done(start + n);
    }
    return classes;
  }

  /** Index of the largest of {@code count} values from {@code start}; -1 if one is NaN. */
  static int argmax(float[] values, int start, int count) {
    int best = 0;
    for (int i = 0; i < count; i++) {
      if (Float.isNaN(values[start + i])) {
        return -1;
      }
      if (values[start + i] > values[start + best]) {
        best = i;
      }
    }
    return best;
  }

  /**
   * Share of images given their label, percent.
   *
   * @throws IllegalArgumentException if the images have another number of classes or size than the network
   */
  public double accuracy(ImageSet set, Normalization normalization, Progress progress) {
    if (set.classes() != topology.classes()) {
      throw new IllegalArgumentException(
          "%s tells %d classes apart, these images have %d"
              .formatted(topology.name(), topology.classes(), set.classes()));
    }
    int[] classes = classify(set, normalization, progress);
    int right = 0;
    for (int i = 0; i < classes.length; i++) {
      right += classes[i] == set.label(i) ? 1 : 0;
    }
    return 100.0 * right / classes.length;
  }

  /** Share of images that two networks classify alike, percent; a NaN agrees with nothing. */
  static double agreement(float[] logits, float[] others, int classes) {
    int count = logits.length / classes;
    int alike = 0;
    for (int i = 0; i < count; i++) {
      int own = argmax(logits, i * classes, classes);
      alike += own >= 0 && own == argmax(others, i * classes, classes) ? 1 : 0;
    }
    return 100.0 * alike / count;
  }

  @Override
  public void close() {
    program.close();
    memory.free(images);
    memory.free(logits);
  }
}
