package org.hast4j.source.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import org.hast4j.device.Device;
import org.hast4j.hast.Evaluation;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.source.Source;

/** Computes graphs twice: as hast4j reads them, and by ONNX Runtime. */
final class Onnx {
  static final int IMAGES = 2;

  private Onnx() {}

  static Source read(Path file) {
    try (FileChannel channel = FileChannel.open(file)) {
      return OnnxSource.read(
          file, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.ofAuto()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Source read(byte[] bytes) {
    MemorySegment memory = Arena.ofAuto().allocate(Math.max(1, bytes.length));
    MemorySegment.copy(bytes, 0, memory, java.lang.foreign.ValueLayout.JAVA_BYTE, 0, bytes.length);
    return OnnxSource.read(Path.of("folder", "graph.onnx"), memory.asSlice(0, bytes.length));
  }

  static Network network(Source source) {
    Model model = source.model().orElseThrow();
    float[] one = new float[model.input().channels()];
    Arrays.fill(one, 1);
    return Checkpoint.network(
        source.file(),
        new LinkedHashMap<>(source.tensors()),
        model,
        new Normalization(new float[one.length], one));
  }

  /** The layers by their operators, as "convolution relu6 add". */
  static String layers(Model model) {
    return model.layers().stream().map(layer -> text(layer.op())).collect(Collectors.joining(" "));
  }

  private static String text(Operator op) {
    return switch (op) {
      case Operator.Activation activation ->
          activation.function().kind().name().toLowerCase(Locale.ROOT)
              + (Float.isFinite(activation.function().ceiling())
                  ? "%.0f".formatted(activation.function().ceiling())
                  : "");
      case Operator.Pool pool -> pool.kind().name().toLowerCase(Locale.ROOT);
      case Operator other -> other.getClass().getSimpleName();
    };
  }

  /** Normal random pixels, [images, h, w, c]. */
  static float[] pixels(Model.Input input) {
    Random random = new Random(5);
    float[] pixels = new float[IMAGES * input.size()];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (float) random.nextGaussian();
    }
    return pixels;
  }

  static float[] logits(Device device, Network network, float[] pixels) {
    try (Evaluation evaluation = Evaluation.of(device, network, IMAGES)) {
      return evaluation.logits(pixels, IMAGES);
    }
  }

  /**
   * Logits by ONNX Runtime.
   *
   * @param batch images that the graph takes at once
   * @param channelsFirst whether the graph takes [n, c, h, w]
   */
  static float[] reference(
      byte[] graph, Model.Input input, float[] pixels, int batch, boolean channelsFirst) {
    float[] ordered = channelsFirst ? channelsFirst(pixels, input) : pixels;
    long[] shape =
        channelsFirst
            ? new long[] {batch, input.channels(), input.height(), input.width()}
            : new long[] {batch, input.height(), input.width(), input.channels()};
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(1);
      // Of what is not needed it warns by the hundred.
      options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR);
      options.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.NO_OPT);
      float[][] all = new float[IMAGES / batch][];
      try (OrtSession session = environment.createSession(graph, options)) {
        String name = input.name();
        for (int i = 0; i < all.length; i++) {
          FloatBuffer images =
              FloatBuffer.wrap(
                  Arrays.copyOfRange(
                      ordered, i * batch * input.size(), (i + 1) * batch * input.size()));
          try (OnnxTensor tensor = OnnxTensor.createTensor(environment, images, shape);
              OrtSession.Result result =
                  session.run(
                      Map.of(name, tensor),
                      Collections.singleton(session.getOutputNames().iterator().next()))) {
            FloatBuffer logits = ((OnnxTensor) result.get(0)).getFloatBuffer();
            all[i] = new float[logits.remaining()];
            logits.get(all[i]);
          }
        }
      }
      float[] joined = new float[Arrays.stream(all).mapToInt(part -> part.length).sum()];
      int at = 0;
      for (float[] part : List.of(all)) {
        System.arraycopy(part, 0, joined, at, part.length);
        at += part.length;
      }
      return joined;
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  private static float[] channelsFirst(float[] pixels, Model.Input input) {
    int area = input.height() * input.width();
    int channels = input.channels();
    float[] ordered = new float[pixels.length];
    for (int i = 0; i < pixels.length; i++) {
      int image = i / (area * channels);
      int pixel = i / channels % area;
      ordered[(image * channels + i % channels) * area + pixel] = pixels[i];
    }
    return ordered;
  }

  /** Alike to a share of the largest. */
  static void assertAlike(float[] logits, float[] expected, double share) {
    assertThat(logits).hasSameSizeAs(expected);
    double largest = 0;
    double apart = 0;
    for (int i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      apart = Math.max(apart, Math.abs((double) logits[i] - expected[i]));
    }
    assertThat(largest).isPositive();
    assertThat(apart / largest)
        .as("%s beside %s", Arrays.toString(logits), Arrays.toString(expected))
        .isLessThanOrEqualTo(share);
  }
}
