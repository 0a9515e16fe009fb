package org.hast4j.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.hast4j.cifar.Cifar10;
import org.hast4j.data.ImageSet;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.hast.Evaluation;
import org.hast4j.zoo.Given;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code hast evaluate}. */
@Command(
    name = "evaluate",
    customSynopsis = "hast evaluate FILE [OPTION]..",
    sortOptions = false,
    parameterListHeading = "%n",
    optionListHeading = "%n",
    description =
        "Measures the accuracy of a network, full-precision or quantised, on real test images.")
final class EvaluateCommand implements Runnable {
  @Spec private CommandSpec spec;

  @CommandLine.Parameters(
      paramLabel = "FILE",
      description = "A safetensors file: a trained network, or what quantize wrote.")
  private Path file;

  /** Data sets. */
  enum Data {
    CIFAR10
  }

  @Option(
      names = "--data",
      paramLabel = "SET",
      defaultValue = "cifar10",
      description = "Test set: cifar10, which is fetched if need be.")
  private Data data;

  @Option(
      names = "--images",
      paramLabel = "DIR",
      description =
          "Instead of a test set a folder of images (JPEG, PNG) without labels: on how many"
              + " --reference agrees.")
  private Path folder;

  @Option(
      names = "--reference",
      paramLabel = "NETWORK",
      description =
          "Also says on how many images another network, mostly the full-precision one, agrees.")
  private Path reference;

  @Mixin private ModelOptions model;
  @Mixin private NormalizationOptions normalization;
  @Mixin private DeviceOptions device;
  @Mixin private Reporter reporter;

  @Override
  public void run() {
    NetworkFile network = NetworkFile.read(file, model.given(normalization));
    if (folder != null && reference == null) {
      throw new ParameterException(
          spec.commandLine(),
          "--images needs --reference NETWORK: images without labels only show whether two agree");
    }
    Optional<NetworkFile> other =
        Optional.ofNullable(reference).map(path -> NetworkFile.read(path, Given.NOTHING));
    ImageSet images =
        folder != null
            ? ImageFolder.read(folder, network.network().model(), reporter)
            : tests(network, other);
    long began = System.nanoTime();
    try (OpenDevice opened = device.open()) {
      int[] classes = classify(opened, network, images);
      Duration time = Duration.ofNanos(System.nanoTime() - began);
      report(network, images, classes, other.map(o -> agreement(opened, o, images, classes)), time);
    }
  }

  private ImageSet tests(NetworkFile network, Optional<NetworkFile> other) {
    CifarImages.check(network.network().model());
    other.ifPresent(o -> CifarImages.check(o.network().model()));
    return switch (data) {
      case CIFAR10 -> new CifarImages(reporter).obtained(Cifar10.Split.TEST);
    };
  }

  private int[] classify(OpenDevice opened, NetworkFile file, ImageSet images) {
    try (Meter meter =
            reporter.meter(
                file.path().getFileName().toString(), Meter.Unit.IMAGES, 0, images.count());
        Evaluation evaluation = evaluation(opened, file)) {
      return evaluation.classify(images, file.network().normalization(), meter::at);
    }
  }

  private static Evaluation evaluation(OpenDevice opened, NetworkFile file) {
    int batch = Evaluation.batch(file.network().model());
    return file.quantized()
        .map(network -> Evaluation.of(opened, network, batch))
        .orElseGet(() -> Evaluation.of(opened, file.network(), batch));
  }

  private double agreement(OpenDevice opened, NetworkFile other, ImageSet images, int[] classes) {
    int[] others = classify(opened, other, images);
    int alike = 0;
    for (int i = 0; i < classes.length; i++) {
      alike += classes[i] >= 0 && classes[i] == others[i] ? 1 : 0;
    }
    return 100.0 * alike / classes.length;
  }

  private void report(
      NetworkFile network,
      ImageSet images,
      int[] classes,
      Optional<Double> agreement,
      Duration time) {
    String kind = network.quantized().map(q -> q.scheme().toString()).orElse("full precision");
    String name = "%s, %s".formatted(network.network().model().name(), kind);
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("file", network.path().toString());
    json.put("sha256", network.sha256());
    json.put("topology", network.network().model().name());
    network.quantized().ifPresent(q -> QuantizationRun.put(json, q.scheme()));
    json.put("data", folder == null ? "cifar10" : folder.toString());
    json.put("images", classes.length);
    if (folder == null) {
      int right = 0;
      for (int i = 0; i < classes.length; i++) {
        right += classes[i] == images.label(i) ? 1 : 0;
      }
      double accuracy = 100.0 * right / classes.length;
      reporter.line(
          "%s: %.2f %% of %d CIFAR-10 test images right".formatted(name, accuracy, classes.length));
      json.put("right", right);
      json.put("accuracy", accuracy);
    } else {
      reporter.line("%s: %d images of %s".formatted(name, classes.length, folder));
    }
    agreement.ifPresent(
        share -> {
          reporter.line("agrees with %s on %.2f %%".formatted(reference, share));
          json.put("agreement", share);
        });
    json.put("seconds", time.toMillis() / 1000.0);
    reporter.result(json);
  }
}
