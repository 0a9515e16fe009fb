package org.hast4j.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.hast4j.cifar.Cifar10;
import org.hast4j.data.ImageSet;
import org.hast4j.device.Device;
import org.hast4j.exec.Memory;
import org.hast4j.hast.Evaluation;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

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
    NetworkFile network = NetworkFile.read(file, model.given(), normalization.given());
    CifarImages.check(network.network().model());
    Optional<NetworkFile> other =
        Optional.ofNullable(reference)
            .map(path -> NetworkFile.read(path, Optional.empty(), Optional.empty()));
    other.ifPresent(o -> CifarImages.check(o.network().model()));
    ImageSet images =
        switch (data) {
          case CIFAR10 -> new CifarImages(reporter).obtained(Cifar10.Split.TEST);
        };
    long began = System.nanoTime();
    try (Device opened = device.open()) {
      int[] classes = classify(opened, network, images);
      Duration time = Duration.ofNanos(System.nanoTime() - began);
      report(network, images, classes, other.map(o -> agreement(opened, o, images, classes)), time);
    }
  }

  private int[] classify(Device opened, NetworkFile file, ImageSet images) {
    try (Memory memory = new Memory(opened);
        Meter meter =
            reporter.meter(
                file.path().getFileName().toString(), Meter.Unit.IMAGES, 0, images.count())) {
      try (Evaluation evaluation = evaluation(memory, file)) {
        return evaluation.classify(images, file.network().normalization(), meter::at);
      }
    }
  }

  private static Evaluation evaluation(Memory memory, NetworkFile file) {
    int batch = Evaluation.batch(file.network().model());
    return file.quantised()
        .map(network -> Evaluation.of(memory, network, batch))
        .orElseGet(() -> Evaluation.of(memory, file.network(), batch));
  }

  private double agreement(Device opened, NetworkFile other, ImageSet images, int[] classes) {
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
    int right = 0;
    for (int i = 0; i < classes.length; i++) {
      right += classes[i] == images.label(i) ? 1 : 0;
    }
    double accuracy = 100.0 * right / classes.length;
    String kind = network.quantised().map(q -> q.scheme().toString()).orElse("full precision");
    reporter.line(
        "%s, %s: %.2f %% of %d CIFAR-10 test images right"
            .formatted(network.network().model().name(), kind, accuracy, classes.length));
    agreement.ifPresent(
        share -> reporter.line("agrees with %s on %.2f %%".formatted(reference, share)));
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("file", network.path().toString());
    json.put("sha256", network.sha256());
    json.put("topology", network.network().model().name());
    network.quantised().ifPresent(q -> QuantisationRun.put(json, q.scheme()));
    json.put("data", "cifar10");
    json.put("images", classes.length);
    json.put("right", right);
    json.put("accuracy", accuracy);
    agreement.ifPresent(share -> json.put("agreement", share));
    json.put("seconds", time.toMillis() / 1000.0);
    reporter.result(json);
  }
}
