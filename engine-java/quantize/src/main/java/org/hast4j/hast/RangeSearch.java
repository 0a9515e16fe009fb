package org.hast4j.hast;

import java.util.LinkedHashMap;
import java.util.Map;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Mode;
import org.hast4j.forward.Parameters;
import org.hast4j.forward.QuantizationState;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;
import org.hast4j.quant.Range;
import org.hast4j.quant.UniformQuantizer;

/**
 * Chooses activation ranges by error: each becomes the share of what calibration found at which the
 * squared error of quantising what the quantiser takes in is least. From the first layer to the
 * last, as each changes what those behind it see.
 */
final class RangeSearch {
  private static final int IMAGES = 64;
  private static final int LEAST = 4;
  private static final int MOST = 48;
  private static final float STEP = .025f;

  private RangeSearch() {}

  /** Narrows the ranges of a calibrated student on the first images of a data set. */
  static void run(
      Memory memory, Parameters student, QuantizationState quantization, DataSet dataSet) {
    Model model = student.model();
    long floats = 1;
    for (String layer : quantization.quantizers().bits().keySet()) {
      floats += model.shape(layer).elements();
    }
    TensorType type = Forward.images(model, dataSet.some(IMAGES, floats));
    Graph graph = new Graph();
    Map<String, Value> weights =
        Parameters.quantized(graph, model, student.values(graph), quantization.scheme());
    Forward forward =
        Forward.of(
            graph,
            "range search",
            model,
            weights,
            graph.variable(dataSet.images(), type),
            new Mode.Observed(quantization.quantizers()));
    Map<String, Storage> activations = new LinkedHashMap<>();
    forward
        .activations()
        .forEach(
            (layer, value) -> {
              Storage storage = Storage.of("activations of " + layer, value.type());
              graph.keep(value, storage);
              activations.put(layer, storage);
            });
    try (Program program = Program.compile("range search workspace", graph, memory)) {
      activations.forEach(
          (layer, storage) -> {
            program.run();
            Map<String, Range> ranges = quantization.download(memory);
            int bits = quantization.quantizers().bits().get(layer);
            ranges.put(layer, best(memory.floats(storage), ranges.get(layer), bits));
            quantization.upload(memory, ranges);
          });
    } finally {
      activations.values().forEach(memory::free);
    }
  }

  private static Range best(float[] values, Range found, int bits) {
    Range best = found;
    double least = Double.POSITIVE_INFINITY;
    for (int i = LEAST; i <= MOST; i++) {
      Range range = new Range(found.min() * i * STEP, found.max() * i * STEP);
      double error = error(values, 0, values.length, range.min(), range.max(), bits);
      if (error < least) {
        least = error;
        best = range;
      }
    }
    return best;
  }

  /** Squared error of quantising values [from, to) on a range. */
  static double error(float[] values, int from, int to, float min, float max, int bits) {
    UniformQuantizer quantizer = UniformQuantizer.of(min, max, bits);
    double sum = 0;
    for (int i = from; i < to; i++) {
      double off = quantizer.value(quantizer.level(values[i])) - values[i];
      sum += off * off;
    }
    return sum;
  }
}
