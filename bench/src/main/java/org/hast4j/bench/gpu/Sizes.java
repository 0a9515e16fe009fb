package org.hast4j.bench.gpu;

import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.hast4j.bench.Activations;
import org.hast4j.bench.ResNet20Convolution;
import org.hast4j.bench.StepKernels;
import org.hast4j.model.Model;
import org.hast4j.zoo.CifarResNet;
import org.hast4j.zoo.ImageNetResNet;

/**
 * How large everything is.
 *
 * @param networks whose iterations are timed
 * @param seconds to time one thing for
 * @param activations that memory-bound kernels work on
 * @param images the same for kernels on pixels
 * @param convolutionBatch images that convolutions work on
 * @param recipe overrides the recipes of whole runs
 */
record Sizes(
    List<Subject> networks,
    double seconds,
    Activations activations,
    long images,
    int convolutionBatch,
    Map<String, String> recipe) {

  /**
   * A network and the batches it is timed at.
   *
   * @param name as the peer calls it
   */
  record Subject(String name, Supplier<Model> model, List<Integer> batches) {}

  private static final List<Subject> NETWORKS =
      List.of(
          new Subject(
              "resnet20",
              () -> CifarResNet.of(20, 16, 10, CifarResNet.Shortcut.B),
              List.of(64, 256)),
          new Subject(
              "resnet18",
              () -> ImageNetResNet.of(18, 64, 1000, ImageNetResNet.SIZE),
              List.of(16, 256)));

  /** Tensors of 256 MiB, beyond every cache. */
  static Sizes measured(double seconds) {
    Activations activations = new Activations(1024, 32 * 32, 64);
    return new Sizes(
        NETWORKS,
        seconds,
        activations,
        activations.elements() / StepKernels.IMAGE,
        ResNet20Convolution.BATCH,
        Map.of());
  }

  /** So small that it tells only whether everything runs. */
  static Sizes tiny() {
    return new Sizes(
        List.of(
            new Subject(
                "resnet8", () -> CifarResNet.of(8, 4, 10, CifarResNet.Shortcut.B), List.of(2))),
        1e-3,
        new Activations(2, 16, 4),
        2,
        1,
        Map.of(
            "synthesis.images", "4",
            "synthesis.batch", "2",
            "synthesis.iterations", "2",
            "calibration.iterations", "2",
            "calibration.batch", "2",
            "fine-tuning.steps", "2",
            "fine-tuning.batch", "2"));
  }
}
