package org.hast4j.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.hast.Accuracy;
import org.hast4j.hast.Expectation;
import org.hast4j.hast.Hast;
import org.hast4j.hast.Images;
import org.hast4j.hast.Job;
import org.hast4j.hast.Run;
import org.hast4j.hast.Stage;
import org.hast4j.io.Sha256;
import org.hast4j.model.Model;
import org.hast4j.model.QuantizationPoints;
import org.hast4j.model.Scheme;
import org.hast4j.nn.AlignmentTaps;

/**
 * One quantisation from its start, or from where it stopped, to its report.
 *
 * @param howToGoOn what a user who stops it reads after "stopped"
 */
record QuantizationRun(
    NetworkFile source,
    Job job,
    Path folder,
    boolean resume,
    Duration checkpointEvery,
    boolean diagnose,
    Optional<Hast.Test> test,
    String howToGoOn) {

  /** Where the result of a network goes unless the user says something else. */
  static Path defaultFolder(NetworkFile source, Scheme scheme) {
    boolean plain = scheme.equals(new Scheme(scheme.bits()));
    String mixed = plain ? "" : "-mixed";
    return Path.of("runs", source.name() + "-" + scheme.bits() + mixed);
  }

  /** How to go on where there is {@code --resume}. */
  static String resumable(Path folder) {
    return ": the same command with --resume goes on from " + folder;
  }

  /** Quantises and reports. */
  void run(DeviceOptions options, Reporter reporter) {
    Model model = source.network().model();
    Scheme scheme = job.scheme();
    reporter.note(
        "quantising %s (%s) to %s in %s".formatted(source.path(), model.name(), scheme, folder));
    source.assumptions().forEach(line -> reporter.note("assumed: " + line));
    List<String> unquantized = scheme.unquantized(model);
    if (!unquantized.isEmpty()) {
      reporter.note(
          "%d of %d layers with weights read values that are not quantised (--points inputs has none): %s"
              .formatted(
                  unquantized.size(), model.weighted().size(), String.join(", ", unquantized)));
    }
    StageProgress progress = new StageProgress(reporter);
    Hast.Result result =
        run(options, progress, reporter, run -> run.quantize(job, folder, resume, test));
    Path file = folder.resolve("quantised.safetensors");
    print(result, file, progress.times(), reporter);
    reporter.result(json(result, file, progress.times()));
  }

  /** Makes the images only. */
  void synthesize(DeviceOptions options, Reporter reporter) {
    StageProgress progress = new StageProgress(reporter);
    Path file = run(options, progress, reporter, run -> run.synthesize(job, folder, resume));
    reporter.line(
        "%d images: %s (%s)".formatted(job.recipe().synthesis().images(), file, size(file)));
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("network", source.path().toString());
    json.put("images", job.recipe().synthesis().images());
    json.put("file", file.toString());
    json.put("sha256", Sha256.of(file));
    json.put("seconds", seconds(progress.times()));
    reporter.result(json);
  }

  private <R> R run(
      DeviceOptions options, StageProgress progress, Reporter reporter, Function<Run, R> work) {
    job.caution().ifPresent(reporter::note);
    job.withoutBatchNorm().ifPresent(text -> reporter.note("warning: " + text));
    job.withoutTaps().ifPresent(text -> reporter.note("warning: " + text));
    try (progress;
        OpenDevice device = options.open();
        Interruption interruption = new Interruption(reporter, true, "stopped" + howToGoOn)) {
      progress.stopWhen(interruption::asked);
      if (!resume) {
        Hast.check(job, device).warning().ifPresent(text -> reporter.note("warning: " + text));
        tell(Hast.expect(job, device), reporter);
      }
      return work.apply(new Run(device, progress, checkpointEvery, diagnose));
    }
  }

  private static void tell(Expectation expected, Reporter reporter) {
    reporter.note(
        "expected: %s (%s), %.0f MiB of memory"
            .formatted(
                Meter.text(expected.total()),
                expected.times().entrySet().stream()
                    .sorted(Map.Entry.comparingByKey())
                    .map(e -> StageProgress.name(e.getKey()) + " " + Meter.text(e.getValue()))
                    .collect(Collectors.joining(", ")),
                expected.deviceBytes() / 1048576.0));
  }

  private void print(Hast.Result result, Path file, Map<Stage, Duration> times, Reporter reporter) {
    reporter.line("");
    reporter.line(
        "%-26s %14s %26s"
            .formatted("", test.isPresent() ? "test accuracy" : "", "agrees with the original"));
    reporter.line(row("full precision", result.fullPrecision(), Optional.empty()));
    reporter.line(
        row("straight after rounding", result.rounded(), Optional.of(result.roundedAgreement())));
    reporter.line(row("after HAST", result.fineTuned(), Optional.of(result.agreement())));
    reporter.line("");
    if (test.isEmpty()) {
      reporter.line("Without a test set there is no accuracy to report.");
    }
    reporter.line(
        "Agreement: share of %s images that both networks put into the same class."
            .formatted(
                switch (job.images()) {
                  case Images.Synthesized _ -> "synthetic";
                  case Images.Stored _ -> "stored";
                  case Images.Real real -> real.labeled() ? "training" : "given";
                }));
    times.forEach(
        (stage, time) ->
            reporter.line("%-12s %s".formatted(StageProgress.name(stage), Meter.text(time))));
    reporter.line("");
    result.warning().ifPresent(text -> reporter.note("warning: " + text));
    reporter.line(
        "%s: %s; the float file has %s, %.1f times as much"
            .formatted(
                file,
                size(file),
                size(source.path()),
                (double) source.bytes() / NetworkFile.size(file)));
  }

  private static String row(String name, Optional<Accuracy> accuracy, Optional<Double> agreement) {
    return "%-26s %14s %26s"
        .formatted(name, percent(accuracy.map(Accuracy::top1)), percent(agreement))
        .stripTrailing();
  }

  private static String percent(Optional<Double> value) {
    return value.map(v -> "%.2f %%".formatted(v)).orElse("");
  }

  private static String size(Path file) {
    return "%.1f KiB".formatted(NetworkFile.size(file) / 1024.0);
  }

  private Map<String, Object> json(Hast.Result result, Path file, Map<Stage, Duration> times) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("network", source.path().toString());
    json.put("network_sha256", source.sha256());
    json.put("topology", source.network().model().name());
    json.put("assumptions", source.assumptions());
    put(json, job.scheme());
    json.put("unquantised_inputs", job.scheme().unquantized(source.network().model()));
    json.put("alignment_taps", AlignmentTaps.of(source.network().model()));
    json.put("seed", job.seed());
    put(json, "full_precision_", result.fullPrecision());
    put(json, "rounded_", result.rounded());
    put(json, "fine_tuned_", result.fineTuned());
    json.put("rounded_agreement", result.roundedAgreement());
    json.put("fine_tuned_agreement", result.agreement());
    json.put("kept_step", result.keptStep());
    json.put("rollbacks", result.rollbacks());
    json.put("statistics_mismatch", result.statisticsMismatch());
    json.put("warning", result.warning().orElse(null));
    json.put("run", folder.toString());
    json.put("quantised", file.toString());
    json.put("quantised_sha256", Sha256.of(file));
    json.put("quantised_bytes", NetworkFile.size(file));
    json.put("network_bytes", source.bytes());
    json.put("seconds", seconds(times));
    return json;
  }

  private static void put(Map<String, Object> json, String prefix, Optional<Accuracy> accuracy) {
    json.put(prefix + "accuracy", accuracy.map(Accuracy::top1).orElse(null));
    accuracy.flatMap(Accuracy::top5).ifPresent(top5 -> json.put(prefix + "top5", top5));
  }

  /** Adds the bits of a network's layers to a report. */
  static void put(Map<String, Object> json, Scheme scheme) {
    json.put("weight_bits", scheme.bits().weights());
    json.put("activation_bits", scheme.bits().activations());
    if (scheme.points() != QuantizationPoints.PAPER) {
      json.put("quantization_points", scheme.points().toString());
    }
    if (!scheme.layers().isEmpty()) {
      json.put("layer_bits", scheme.named());
    }
  }

  private static Map<String, Double> seconds(Map<Stage, Duration> times) {
    Map<String, Double> seconds = new LinkedHashMap<>();
    times.forEach((stage, time) -> seconds.put(stage.name(), time.toMillis() / 1000.0));
    return seconds;
  }
}
