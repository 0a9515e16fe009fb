package org.hast4j.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.hast4j.data.LabeledImages;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.hast.Accuracy;
import org.hast4j.hast.Evaluation;
import org.hast4j.hast.Predictions;
import org.hast4j.picture.LabeledFiles;
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
      description = "A trained network, as quantize takes it, or what quantize wrote.")
  private Path file;

  @Option(
      names = "--data",
      paramLabel = "SET",
      defaultValue = TestSet.CIFAR10,
      description = "Test images: " + TestSet.WHAT + "; ${DEFAULT-VALUE} by default.")
  private String data;

  @Mixin private ClassOptions classNames;

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
  @Mixin private PreprocessingOptions preprocessing;
  @Mixin private DeviceOptions device;
  @Mixin private Reporter reporter;

  @Override
  public void run() {
    NetworkFile network = NetworkFile.read(file, model.given(preprocessing));
    network.assumptions().forEach(line -> reporter.note("assumed: " + line));
    if (folder != null && reference == null) {
      throw new ParameterException(
          spec.commandLine(),
          "--images needs --reference NETWORK: images without labels only show whether two agree");
    }
    Optional<NetworkFile> other =
        Optional.ofNullable(reference).map(path -> NetworkFile.read(path, Given.NOTHING));
    TestSet tests =
        folder == null
            ? TestSet.open(data, network.network(), classNames, reporter)
            : new TestSet(
                "images of " + folder,
                TestSet.pictures(LabeledFiles.unlabeled(folder), network.network()));
    long began = System.nanoTime();
    try (OpenDevice opened = device.open()) {
      Predictions predictions = classify(opened, network, tests.images());
      Duration time = Duration.ofNanos(System.nanoTime() - began);
      Optional<Double> agreement =
          other.map(o -> predictions.agreement(classify(opened, o, tests.images())));
      report(network, tests.name(), predictions, agreement, time);
    }
  }

  private Predictions classify(OpenDevice opened, NetworkFile file, LabeledImages images) {
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

  private void report(
      NetworkFile network,
      String tests,
      Predictions predictions,
      Optional<Double> agreement,
      Duration time) {
    String kind = network.quantized().map(q -> q.scheme().toString()).orElse("full precision");
    String name = "%s, %s".formatted(network.network().model().name(), kind);
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("file", network.path().toString());
    json.put("sha256", network.sha256());
    json.put("topology", network.network().model().name());
    json.put("assumptions", network.assumptions());
    network.quantized().ifPresent(q -> QuantizationRun.put(json, q.scheme()));
    json.put("data", folder == null ? data : folder.toString());
    int count = predictions.classes().length;
    json.put("images", count);
    if (folder == null) {
      Accuracy accuracy = predictions.accuracy();
      reporter.line("%s: %s of %d %s right".formatted(name, accuracy, count, tests));
      json.put("right", predictions.right());
      json.put("accuracy", accuracy.top1());
      accuracy.top5().ifPresent(top5 -> json.put("top5", top5));
    } else {
      reporter.line("%s: %d %s".formatted(name, count, tests));
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
