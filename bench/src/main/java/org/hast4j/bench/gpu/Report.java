package org.hast4j.bench.gpu;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.PropertyAccessor;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.hast4j.bench.gpu.Results.PeerIteration;
import org.hast4j.io.AtomicFile;

/**
 * The results as {@code gpu-DATE.json} and {@code gpu-DATE.md}, written anew with every
 * measurement: whatever stops the next one, the earlier ones are there.
 */
final class Report {
  private static final ObjectMapper JSON =
      new ObjectMapper()
          .enable(SerializationFeature.INDENT_OUTPUT)
          .setVisibility(PropertyAccessor.FIELD, JsonAutoDetect.Visibility.NON_PRIVATE);
  private static final String NONE = "-";

  private final Path folder;
  private final Results results;

  /** Creates the folder. */
  Report(Path folder, Results results) {
    this.folder = folder;
    this.results = results;
    try {
      Files.createDirectories(folder);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot create " + folder + ": choose a folder that works", e);
    }
  }

  void add(Results.Iteration row) {
    results.iterations.add(row);
    heard(iteration(row));
  }

  void add(Results.Kernel row) {
    results.kernels.add(row);
    heard(kernel(row));
  }

  void add(Results.Convolution row) {
    results.convolutions.add(row);
    heard(convolution(row));
  }

  void add(Results.Run row) {
    results.runs.add(row);
    heard(run(row));
  }

  void add(PeerIteration row) {
    results.peers.add(row);
    heard(peer(row));
  }

  void note(String note) {
    results.notes.add(note);
    heard(note);
  }

  void leftOut(String what) {
    note("left out for lack of time: " + what);
  }

  private void heard(String line) {
    System.out.println(line);
    write();
  }

  void write() {
    try {
      String name = "gpu-" + results.origin.date();
      AtomicFile.write(folder.resolve(name + ".json"), JSON.writeValueAsBytes(results));
      AtomicFile.write(folder.resolve(name + ".md"), markdown().getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String markdown() {
    Results.Origin origin = results.origin;
    StringBuilder text = new StringBuilder();
    text.append("# GPU\n\n");
    text.append("* date: ").append(origin.date()).append('\n');
    text.append("* device: ").append(origin.device()).append('\n');
    text.append("* Java: ").append(origin.java()).append('\n');
    text.append("* commit: ").append(origin.commit()).append('\n');
    text.append("* command: `").append(origin.command()).append("`\n");
    results.peers.stream()
        .findFirst()
        .ifPresent(
            peer ->
                text.append("* PyTorch ")
                    .append(peer.torch())
                    .append(" on ")
                    .append(peer.device())
                    .append('\n'));
    results.notes.forEach(note -> text.append("* ").append(note).append('\n'));
    if (origin.tiny()) {
      text.append("\nTiny sizes, to see that everything runs: these are not measurements.\n");
    }
    table(
        text,
        "Iterations",
        "Milliseconds by the device's clock: median, fastest and slowest of the blocks. The peer is"
            + " the fastest of its variants in the same precision; its ratio is to the same row.",
        "stage | network | batch | precision | launch | convolutions | launches | MiB | ms |"
            + " fastest | slowest | PyTorch ms | variant | PyTorch / hast4j",
        results.iterations.stream().map(this::iteration));
    table(
        text,
        "Memory-bound kernels",
        "GB/s of the bytes a kernel must move, beside a copy on the device that moves as many.",
        "kernel | MB | ms | GB/s | copy GB/s | of the copy",
        results.kernels.stream().map(this::kernel));
    table(
        text,
        "Convolutions of ResNet-20",
        "GFLOP/s by the textbook count.",
        "direction | convolution | batch | precision | ms | GFLOP/s",
        results.convolutions.stream().map(this::convolution));
    table(
        text,
        "Whole runs",
        "Seconds by the clock, evaluations included; accuracy on CIFAR-10's test images in"
            + " percent.",
        "network | recipe | bits | seed | precision | synthesis s | calibration s | fine-tuning s |"
            + " full precision | rounded | HAST",
        results.runs.stream().map(this::run));
    table(
        text,
        "PyTorch",
        "Every variant.",
        "stage | network | batch | precision | variant | ms",
        results.peers.stream().map(this::peer));
    return text.toString();
  }

  private static void table(
      StringBuilder text, String title, String meaning, String columns, Stream<String> rows) {
    List<String> lines = rows.toList();
    if (lines.isEmpty()) {
      return;
    }
    text.append("\n## ").append(title).append("\n\n").append(meaning).append("\n\n");
    text.append("| ").append(columns).append(" |\n");
    text.append("|---".repeat(columns.split("\\|").length)).append("|\n");
    lines.forEach(line -> text.append(line).append('\n'));
  }

  private String iteration(Results.Iteration row) {
    Optional<PeerIteration> peer = fastestPeer(row);
    DeviceTimer.Timing timing = row.timing();
    return line(
        row.stage(),
        row.network(),
        row.batch(),
        row.mode().precision(),
        row.mode().captured() ? "captured" : "eager",
        row.mode().convolutions().name().toLowerCase(Locale.ROOT),
        row.launches() == null ? NONE : row.launches(),
        row.peakMebibytes() == null ? NONE : number("%.0f", row.peakMebibytes()),
        timing == null ? NONE + " " + row.failure() : number("%.4f", timing.median()),
        timing == null ? NONE : number("%.4f", timing.fastest()),
        timing == null ? NONE : number("%.4f", timing.slowest()),
        peer.map(p -> number("%.4f", p.milliseconds())).orElse(NONE),
        peer.map(PeerIteration::variant).orElse(NONE),
        timing == null
            ? NONE
            : peer.map(p -> number("%.2f", p.milliseconds() / timing.median())).orElse(NONE));
  }

  private Optional<PeerIteration> fastestPeer(Results.Iteration row) {
    return results.peers.stream()
        .filter(
            peer ->
                peer.milliseconds() != null
                    && peer.stage().equals(row.stage())
                    && peer.network().equals(row.network())
                    && peer.batch() == row.batch()
                    && peer.precision().equalsIgnoreCase(row.mode().precision().name()))
        .min(Comparator.comparingDouble(PeerIteration::milliseconds));
  }

  private String kernel(Results.Kernel row) {
    if (row.timing() == null) {
      return line(row.kernel(), NONE, NONE + " " + row.failure(), NONE, NONE, NONE);
    }
    double rate = row.gigabytesPerSecond();
    double copy = row.copyGigabytesPerSecond();
    return line(
        row.kernel(),
        number("%.1f", row.bytes() / 1e6),
        number("%.4f", row.timing().median()),
        number("%.0f", rate),
        number("%.0f", copy),
        number("%.0f %%", 100 * rate / copy));
  }

  private String convolution(Results.Convolution row) {
    DeviceTimer.Timing timing = row.timing();
    return line(
        row.direction(),
        row.shape(),
        row.batch(),
        row.precision(),
        timing == null ? NONE + " " + row.failure() : number("%.4f", timing.median()),
        timing == null ? NONE : number("%.0f", row.flops() / timing.median() / 1e6));
  }

  private String run(Results.Run row) {
    return line(
        row.network(),
        row.recipe(),
        "W%dA%d".formatted(row.bits(), row.bits()),
        row.seed(),
        row.precision(),
        row.failure().isEmpty() ? seconds(row, Measurements.SYNTHESIS) : NONE + " " + row.failure(),
        seconds(row, "calibration"),
        seconds(row, Measurements.FINE_TUNING),
        percent(row.fullPrecision()),
        percent(row.rounded()),
        percent(row.fineTuned()));
  }

  private static String seconds(Results.Run row, String stage) {
    Double seconds = row.seconds().get(stage);
    return seconds == null ? NONE : number("%.1f", seconds);
  }

  private static String percent(Double accuracy) {
    return accuracy == null ? NONE : number("%.2f", accuracy);
  }

  private String peer(PeerIteration row) {
    return line(
        row.stage(),
        row.network(),
        row.batch(),
        row.precision(),
        row.variant(),
        row.milliseconds() == null
            ? NONE + " " + row.reason()
            : number("%.4f", row.milliseconds()));
  }

  private static String number(String format, double value) {
    return String.format(Locale.ROOT, format, value);
  }

  /** A table's row; what failed may have a message of several lines. */
  private static String line(Object... cells) {
    return Stream.of(cells)
        .map(cell -> cell.toString().replaceAll("\\s+", " ").replace('|', '/').strip())
        .collect(Collectors.joining(" | ", "| ", " |"));
  }
}
