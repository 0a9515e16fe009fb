package org.hast4j.hast;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
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
import org.hast4j.quant.QuantizedTensor;
import org.hast4j.tensor.Shape;

/**
 * What fine-tuning does to the student, layer by layer: the signals that show whether it is about
 * to collapse. They are taken on the first images of the data set, uncropped. Reading them makes
 * the device wait, so only a run that diagnoses itself does.
 */
final class FineTuningDiagnosis implements AutoCloseable {
  private static final int IMAGES = 64;

  private final Memory memory;
  private final Parameters student;
  private final QuantizationState quantization;
  private final List<Storage> activations = new ArrayList<>();
  private final List<String> layers;
  private final List<Integer> channels = new ArrayList<>();
  private final Program program;
  private Map<String, float[]> before;

  FineTuningDiagnosis(
      Memory memory, Parameters student, QuantizationState quantization, DataSet dataSet) {
    this.memory = memory;
    this.student = student;
    this.quantization = quantization;
    Graph graph = new Graph();
    Shape all = dataSet.imageType().shape();
    TensorType type =
        TensorType.f32(Math.min(IMAGES, all.size(0)), all.size(1), all.size(2), all.size(3));
    Map<String, Value> weights =
        Parameters.quantized(graph, student.model(), student.values(graph), quantization.scheme());
    Forward forward =
        Forward.of(
            graph,
            "diagnosis",
            student.model(),
            weights,
            graph.variable(dataSet.images(), 0, type),
            new Mode.Observed(quantization.quantizers()));
    for (Value value : forward.activations().values()) {
      Storage storage = Storage.of("diagnosed activations " + activations.size(), value.type());
      graph.keep(value, storage);
      activations.add(storage);
      channels.add(Math.toIntExact(value.size(-1)));
    }
    layers = List.copyOf(forward.activations().keySet());
    program = Program.compile("diagnosis workspace", graph, memory);
    before = student.download(memory);
  }

  /**
   * Signals of the student as it is now. Per activation quantiser, in order: share of values beyond
   * the upper end of its range, share on its uppermost level, channels that are 0 on every image,
   * relative quantisation error. Per quantised weight, by name: root mean square, relative change
   * since the last look, relative quantisation error.
   */
  Map<String, Object> signals() {
    program.run();
    float[] ranges = memory.floats(quantization.ranges());
    List<Double> above = new ArrayList<>();
    List<Double> top = new ArrayList<>();
    List<Double> dead = new ArrayList<>();
    List<Double> error = new ArrayList<>();
    for (int i = 0; i < activations.size(); i++) {
      float[] x = memory.floats(activations.get(i));
      int row = 2 * quantization.quantizers().row(layers.get(i));
      double levels = (1 << quantization.quantizers().bits().get(layers.get(i))) - 1;
      observe(x, channels.get(i), levels, ranges[row], ranges[row + 1], above, top, dead, error);
    }
    Map<String, Object> signals = new LinkedHashMap<>();
    signals.put("above_range", above);
    signals.put("on_top_level", top);
    signals.put("dead_channels", dead);
    signals.put("activation_error", error);
    weights(signals);
    return signals;
  }

  private void observe(
      float[] x,
      int width,
      double levels,
      float low,
      float high,
      List<Double> above,
      List<Double> top,
      List<Double> dead,
      List<Double> error) {
    double scale = levels / Math.max(high - low, 1e-8);
    boolean[] alive = new boolean[width];
    long beyond = 0;
    long uppermost = 0;
    double squares = 0;
    double errors = 0;
    for (int i = 0; i < x.length; i++) {
      double level = Math.clamp(Math.rint(scale * (x[i] - low)), 0, levels);
      double rounded = level / scale + low;
      beyond += x[i] > high ? 1 : 0;
      uppermost += level == levels ? 1 : 0;
      alive[i % width] |= x[i] > 0;
      squares += (double) x[i] * x[i];
      errors += (x[i] - rounded) * (x[i] - rounded);
    }
    int silent = 0;
    for (boolean one : alive) {
      silent += one ? 0 : 1;
    }
    above.add((double) beyond / x.length);
    top.add((double) uppermost / x.length);
    dead.add((double) silent);
    error.add(Math.sqrt(errors / Math.max(squares, Double.MIN_NORMAL)));
  }

  private void weights(Map<String, Object> signals) {
    Map<String, float[]> now = student.download(memory);
    Map<String, Double> size = new LinkedHashMap<>();
    Map<String, Double> change = new LinkedHashMap<>();
    Map<String, Double> error = new LinkedHashMap<>();
    List<String> quantized = Parameters.weightNames(student.model());
    for (String name : student.trained().names()) {
      float[] values = now.get(name);
      double squares = squaredDifference(values, new float[values.length]);
      size.put(name, Math.sqrt(squares / values.length));
      change.put(name, relative(squaredDifference(values, before.get(name)), squares));
      if (quantized.contains(name)) {
        int rows = Math.toIntExact(student.trained().get(name).type().shape().size(0));
        error.put(
            name, Double.isFinite(squares) ? roundingError(name, values, rows, squares) : squares);
      }
    }
    signals.put("parameter_size", size);
    signals.put("parameter_change", change);
    signals.put("weight_error", error);
    before = now;
  }

  private double roundingError(String name, float[] values, int rows, double squares) {
    int bits = quantization.scheme().weightBits(name.substring(0, name.lastIndexOf('.')));
    float[] rounded = QuantizedTensor.of(values, rows, bits).dequantized();
    return relative(squaredDifference(values, rounded), squares);
  }

  private static double squaredDifference(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      double difference = a[i] - b[i];
      sum += difference * difference;
    }
    return sum;
  }

  private static double relative(double squares, double unit) {
    return Math.sqrt(squares / Math.max(unit, Double.MIN_NORMAL));
  }

  @Override
  public void close() {
    program.close();
    activations.forEach(memory::free);
  }
}
