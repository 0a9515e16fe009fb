package org.hast4j.hast;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Mode;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.forward.Parameters;
import org.hast4j.forward.QuantizationState;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;

/**
 * Gives the student's BatchNorms the statistics of its own, quantised values: on images of the data
 * set, each channel then has the mean and the variance behind its BatchNorm that it has in the
 * teacher.
 */
final class StatisticsCorrection {
  private static final int IMAGES = 256;

  // Of the unit squared: what varies less is as good as constant.
  private static final double CONSTANT = 1e-3;

  private final Memory memory;
  private final Units units;
  private final Parameters student;
  private final Map<String, Storage> kept = new LinkedHashMap<>();

  private StatisticsCorrection(Memory memory, Units units, Parameters student) {
    this.memory = memory;
    this.units = units;
    this.student = student;
  }

  /** Corrects a calibrated student's statistics on the first images of a data set. */
  static void run(
      Memory memory,
      Units units,
      Parameters teacher,
      Parameters student,
      QuantizationState quantization,
      DataSet dataSet) {
    new StatisticsCorrection(memory, units, student).run(teacher, quantization, dataSet);
  }

  private void run(Parameters teacher, QuantizationState quantization, DataSet dataSet) {
    Model model = student.model();
    long floats = 0;
    for (Layer layer : model.layers()) {
      floats = Math.max(floats, model.shape(layer.name()).elements());
    }
    TensorType type = Forward.images(model, dataSet.some(IMAGES, floats));
    Graph taught = new Graph();
    List<String> names =
        keep(
            taught,
            "teacher ",
            Forward.of(
                taught,
                "correction teacher",
                teacher.model(),
                teacher.values(taught),
                taught.variable(dataSet.images(), type),
                new Mode.Evaluation()));
    Graph learnt = new Graph();
    Map<String, Value> weights =
        Parameters.quantized(
            learnt, student.model(), student.values(learnt), quantization.scheme());
    keep(
        learnt,
        "student ",
        Forward.of(
            learnt,
            "correction student",
            student.model(),
            weights,
            learnt.variable(dataSet.images(), type),
            new Mode.Quantized(quantization.quantizers())));
    try (Program once = Program.compile("teacher's statistics workspace", taught, memory);
        Program often = Program.compile("student's statistics workspace", learnt, memory)) {
      once.run();
      // Each run is right for one more layer: what a layer sees depends on those before it.
      for (int i = 0; i < names.size(); i++) {
        often.run();
        names.forEach(this::correct);
      }
    } finally {
      kept.values().forEach(memory::free);
    }
  }

  private List<String> keep(Graph graph, String owner, Forward forward) {
    List<String> names = new ArrayList<>();
    for (Forward.Statistics layer : forward.statistics()) {
      keep(graph, owner + "mean of " + layer.name(), layer.mean());
      keep(graph, owner + "variance of " + layer.name(), layer.variance());
      names.add(layer.name());
    }
    return names;
  }

  private void keep(Graph graph, String name, Value value) {
    Storage storage = Storage.of(name, value.type());
    graph.keep(value, storage);
    kept.put(name, storage);
  }

  private float[] values(String name) {
    return memory.floats(kept.get(name));
  }

  /** (m - mean) / s becomes the teacher's, with s squared in the ratio of the batch variances. */
  private void correct(String name) {
    Map<String, float[]> weights = units.network().weights();
    float[] means = weights.get(name + ".running_mean").clone();
    float[] variances = weights.get(name + ".running_var").clone();
    float[] squares = units.statistics().get(name).squaredUnit();
    float[] mean = values("teacher mean of " + name);
    float[] variance = values("teacher variance of " + name);
    float[] ownMean = values("student mean of " + name);
    float[] ownVariance = values("student variance of " + name);
    for (int i = 0; i < means.length; i++) {
      double floor = CONSTANT * squares[i];
      double ratio = (ownVariance[i] + floor) / (variance[i] + floor);
      double epsilon = squares[i] - variances[i];
      means[i] = (float) (ownMean[i] - (mean[i] - means[i]) * Math.sqrt(ratio));
      variances[i] = (float) Math.max(ratio * squares[i] - epsilon, 0);
    }
    ParameterLayout layout = student.statisticsLayout();
    memory
        .buffer(student.statisticsStorage())
        .upload(layout.get(name + ".running_mean").offset(), means);
    memory
        .buffer(student.statisticsStorage())
        .upload(layout.get(name + ".running_var").offset(), variances);
  }
}
