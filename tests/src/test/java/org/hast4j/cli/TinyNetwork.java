package org.hast4j.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BiConsumer;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.tensor.Shape;
import org.hast4j.zoo.CifarResNet;

/** A network that is quantised in a second: a ResNet-8 of width 4 with random weights. */
final class TinyNetwork {
  /** A recipe of 24 synthesis iterations, 5 of calibration and 110 fine-tuning steps. */
  static final List<String> RECIPE =
      List.of(
          "--set=synthesis.images=16",
          "--set=synthesis.batch=4",
          "--set=synthesis.iterations=6",
          "--set=calibration.iterations=5",
          "--set=calibration.batch=4",
          "--set=calibration.latent=8",
          "--set=fine-tuning.steps=110",
          "--set=fine-tuning.batch=4");

  private TinyNetwork() {}

  static Network of(int classes) {
    return of(CifarResNet.of(8, 4, classes, CifarResNet.Shortcut.B));
  }

  static Network of(Model model) {
    Random random = new Random(7);
    Map<String, float[]> weights = new LinkedHashMap<>();
    for (ParameterLayout layout :
        List.of(ParameterLayout.parameters(model), ParameterLayout.statistics(model))) {
      for (String name : layout.names()) {
        Shape shape = layout.get(name).type().shape();
        int count = Math.toIntExact(shape.elements());
        // He's scale, and BatchNorms that change little: activations and losses stay near 1.
        double scale = shape.rank() > 1 ? Math.sqrt(2.0 * shape.size(0) / count) : .1;
        boolean norm = shape.rank() == 1 && name.endsWith(".weight");
        double mean = norm || name.endsWith("running_var") ? 1 : 0;
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
          values[i] = (float) (mean + scale * random.nextGaussian());
        }
        weights.put(name, values);
      }
    }
    return new Network(model, Normalization.CIFAR10, weights);
  }

  static Path write(Path file, int classes) {
    Checkpoint.write(file, of(classes));
    return file;
  }

  /** Writes the network with one tensor left out or its values changed in place. */
  static Path writeDamaged(
      Path file, BiConsumer<String, Map<String, float[]>> damage, String name) {
    Path whole = write(file.resolveSibling("whole-" + file.getFileName()), 10);
    Safetensors tensors = Safetensors.read(whole);
    Map<String, float[]> values = new LinkedHashMap<>();
    tensors.names().forEach(key -> values.put(key, tensors.tensor(key).floats()));
    damage.accept(name, values);
    SafetensorsWriter writer = new SafetensorsWriter();
    tensors.metadata().forEach(writer::metadata);
    values.forEach((key, v) -> writer.put(key, tensors.tensor(key).shape(), v));
    writer.write(file);
    return file;
  }
}
