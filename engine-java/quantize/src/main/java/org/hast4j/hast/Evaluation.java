package org.hast4j.hast;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import org.hast4j.data.LabeledImages;
import org.hast4j.device.Device;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.failure.RefusedException;
import org.hast4j.forward.LogitsGraph;
import org.hast4j.forward.Mode;
import org.hast4j.forward.Parameters;
import org.hast4j.forward.QuantizationState;
import org.hast4j.graph.Storage;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;
import org.hast4j.quant.QuantizedNetwork;

/** Classifies images with a network, float or quantised, and counts what it gets right. */
public final class Evaluation implements AutoCloseable {
  private static final int BATCH_PIXELS = 128 * 32 * 32;
  private static final int MIN_BATCH = 8;

  private final Memory memory;
  private final Model model;
  private final int batch;
  private final Storage images;
  private final Storage logits;
  private final List<Storage> owned;
  // Whether all of the memory goes with this.
  private final boolean alone;
  private final Program program;
  private boolean closed;

  private Evaluation(
      Memory memory,
      Parameters parameters,
      Optional<Scheme> weights,
      Mode mode,
      int batch,
      List<Storage> owned,
      boolean alone) {
    if (batch < 1) {
      throw new IllegalArgumentException("a batch needs at least 1 image, got " + batch);
    }
    this.memory = memory;
    this.model = parameters.model();
    this.batch = batch;
    LogitsGraph pass =
        LogitsGraph.of(
            "evaluation",
            model,
            batch,
            mode,
            graph -> {
              Map<String, Value> values = parameters.values(graph);
              return weights
                  .map(scheme -> Parameters.quantized(graph, model, values, scheme))
                  .orElse(values);
            });
    images = pass.images();
    logits = pass.logits();
    this.alone = alone;
    this.owned = new ArrayList<>(owned);
    this.owned.add(images);
    this.owned.add(logits);
    program = Program.compile("evaluation workspace", pass.graph(), memory);
  }

  /**
   * Evaluates a quantised network as it stands in a file: the weights its levels mean, activations
   * quantised on its ranges.
   *
   * @param device to be closed after this
   * @param batch images per run of the program
   */
  public static Evaluation of(Device device, QuantizedNetwork network, int batch) {
    return alone(device, memory -> quantized(memory, network, batch, true));
  }

  /**
   * Evaluates a full-precision network.
   *
   * @param device to be closed after this
   * @param batch images per run of the program
   */
  public static Evaluation of(Device device, Network network, int batch) {
    return alone(
        device, memory -> owning(memory, network, new Mode.Evaluation(), batch, List.of(), true));
  }

  private static Evaluation alone(Device device, Function<Memory, Evaluation> of) {
    Memory memory = new Memory(device);
    try {
      return of.apply(memory);
    } catch (RuntimeException e) {
      memory.close();
      throw e;
    }
  }

  /** Likewise of a quantised network, in memory that others use, too. */
  static Evaluation of(Memory memory, QuantizedNetwork network, int batch) {
    return quantized(memory, network, batch, false);
  }

  /** Likewise of a full-precision network, in memory that others use, too. */
  static Evaluation of(Memory memory, Network network, int batch) {
    return owning(memory, network, new Mode.Evaluation(), batch, List.of(), false);
  }

  private static Evaluation quantized(
      Memory memory, QuantizedNetwork network, int batch, boolean alone) {
    QuantizationState quantization = QuantizationState.of(network.model(), network.scheme());
    quantization.upload(memory, network.ranges());
    return owning(
        memory,
        network.dequantized(),
        new Mode.Quantized(quantization.quantizers()),
        batch,
        List.of(quantization.ranges()),
        alone);
  }

  private static Evaluation owning(
      Memory memory, Network network, Mode mode, int batch, List<Storage> more, boolean alone) {
    Parameters parameters = new Parameters(network.model(), "evaluated");
    parameters.upload(memory, network);
    List<Storage> owned = new ArrayList<>(more);
    owned.add(parameters.trainedStorage());
    owned.add(parameters.statisticsStorage());
    return new Evaluation(memory, parameters, Optional.empty(), mode, batch, owned, alone);
  }

  /** Evaluates parameters as they lie on the device, float weights and activations. */
  static Evaluation of(Memory memory, Parameters parameters) {
    return new Evaluation(
        memory,
        parameters,
        Optional.empty(),
        new Mode.Evaluation(),
        batch(parameters.model()),
        List.of(),
        false);
  }

  /** Evaluates parameters as they lie on the device, quantised on the fly. */
  static Evaluation of(Memory memory, Parameters parameters, QuantizationState quantization) {
    return new Evaluation(
        memory,
        parameters,
        Optional.of(quantization.scheme()),
        new Mode.Quantized(quantization.quantizers()),
        batch(parameters.model()),
        List.of(),
        false);
  }

  /**
   * Images per run of the program unless said otherwise: enough to keep every core busy, small
   * enough to stay near the caches.
   */
  public static int batch(Model model) {
    return Math.max(MIN_BATCH, BATCH_PIXELS / (model.input().height() * model.input().width()));
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
    int size = model.input().size();
    if (pixels.length != count * size) {
      throw new IllegalArgumentException(
          "%d images of %d values expected, got %d values".formatted(count, size, pixels.length));
    }
    float[] all = new float[count * model.classes()];
    float[] in = new float[batch * size];
    float[] out = new float[batch * model.classes()];
    for (int start = 0; start < count; start += batch) {
      int n = Math.min(batch, count - start);
      System.arraycopy(pixels, start * size, in, 0, n * size);
      run(in, out);
      System.arraycopy(out, 0, all, start * model.classes(), n * model.classes());
    }
    return all;
  }

  /**
   * Logits of one batch. Allocates nothing once the JVM has compiled it, which takes some thousand
   * runs.
   *
   * @param in [batch, h, w, c], normalised
   * @param out [batch, classes], overwritten
   * @throws IllegalArgumentException if an array has another size
   * @throws IllegalStateException if this is closed, or another thread opened the device
   */
  public void run(float[] in, float[] out) {
    if (closed) {
      throw new IllegalStateException("the evaluation is closed");
    }
    checkSize("images", in.length, images);
    checkSize("logits", out.length, logits);
    memory.buffer(images).upload(0, in);
    program.run();
    memory.buffer(logits).download(0, out);
  }

  private static void checkSize(String what, int length, Storage storage) {
    long expected = storage.bytes() / Float.BYTES;
    if (length != expected) {
      throw new IllegalArgumentException(
          "the %s of a batch are %d values, got %d".formatted(what, expected, length));
    }
  }

  /**
   * The class each image is given, and where its label stands.
   *
   * @throws RefusedException if the images are not of the network's size
   */
  public Predictions classify(LabeledImages set, Normalization normalization, Progress progress) {
    if (set.height() != model.input().height()
        || set.width() != model.input().width()
        || set.channels() != model.input().channels()) {
      throw new RefusedException(
          "%s takes %dx%dx%d images, these are %dx%dx%d"
              .formatted(
                  model.name(),
                  model.input().height(),
                  model.input().width(),
                  model.input().channels(),
                  set.height(),
                  set.width(),
                  set.channels()));
    }
    int[] classes = new int[set.count()];
    int[] ranks = new int[set.count()];
    float[] in = new float[batch * set.imageSize()];
    float[] out = new float[batch * model.classes()];
    for (int start = 0; start < set.count(); start += batch) {
      int n = Math.min(batch, set.count() - start);
      set.normalize(start, start + n, normalization, in);
      run(in, out);
      for (int i = 0; i < n; i++) {
        int first = i * model.classes();
        classes[start + i] = argmax(out, first, model.classes());
        ranks[start + i] =
            classes[start + i] < 0
                ? model.classes()
                : rank(out, first, model.classes(), set.label(start + i));
      }
      progress.done(start + n);
    }
    return new Predictions(classes, ranks, model.classes());
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
   * How many of {@code count} values from {@code start} come before one: the larger, and of equal
   * ones the earlier, as in {@link #argmax}.
   */
  private static int rank(float[] values, int start, int count, int of) {
    float value = values[start + of];
    int before = 0;
    for (int i = 0; i < count; i++) {
      float other = values[start + i];
      before += other > value || other == value && i < of ? 1 : 0;
    }
    return before;
  }

  /**
   * How often images are given their label.
   *
   * @throws RefusedException if the images have another number of classes or size than the network
   */
  public Accuracy accuracy(LabeledImages set, Normalization normalization, Progress progress) {
    if (set.classes() != model.classes()) {
      throw new RefusedException(
          "%s tells %d classes apart, these images have %d"
              .formatted(model.name(), model.classes(), set.classes()));
    }
    return classify(set, normalization, progress).accuracy();
  }

  /** Number of images that two networks classify alike; a NaN agrees with nothing. */
  static int alike(float[] logits, float[] others, int classes) {
    int count = logits.length / classes;
    int alike = 0;
    for (int i = 0; i < count; i++) {
      int own = argmax(logits, i * classes, classes);
      alike += own >= 0 && own == argmax(others, i * classes, classes) ? 1 : 0;
    }
    return alike;
  }

  @Override
  public void close() {
    program.close();
    closed = true;
    owned.forEach(memory::free);
    if (alone) {
      memory.close();
    }
  }
}
