package org.hast4j.bench.gpu;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.Precision;

/** The same iterations in PyTorch: {@code bench/peers/measure.py}, where there is a PyTorch. */
final class Peer {
  private static final String PYTHON = "python3";
  private static final int IMPORT_SECONDS = 120;
  private static final ObjectMapper JSON =
      new ObjectMapper().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

  private final Path program;
  private final Target target;
  private final Sizes sizes;
  private final Budget budget;
  private final Report report;

  /**
   * @param folder of the peer's program
   */
  Peer(Path folder, Target target, Sizes sizes, Budget budget, Report report) {
    program = folder.resolve("measure.py");
    this.target = target;
    this.sizes = sizes;
    this.budget = budget;
    this.report = report;
  }

  void measure() {
    try {
      if (!Files.exists(program)) {
        report.note("no PyTorch beside these numbers: there is no " + program);
      } else if (!succeeds(List.of(PYTHON, "-c", "import torch"), IMPORT_SECONDS)) {
        report.note("no PyTorch beside these numbers: python3 cannot import torch");
      } else {
        for (Precision precision : target.precisions()) {
          measure(precision);
        }
      }
    } catch (IOException e) {
      report.note("no PyTorch beside these numbers: " + e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      report.note("interrupted while PyTorch was measured");
    }
  }

  private void measure(Precision precision) throws IOException, InterruptedException {
    String name = precision.name().toLowerCase(Locale.ROOT);
    if (budget.isSpent()) {
      report.leftOut("PyTorch in " + name);
      return;
    }
    Path json = Files.createTempFile("hast-peer", ".json");
    try {
      boolean finished =
          succeeds(
              List.of(
                  PYTHON,
                  program.toString(),
                  "--device",
                  target.backend() == Backend.CUDA ? "cuda" : "cpu",
                  "--precision",
                  name,
                  "--seconds",
                  Double.toString(sizes.seconds()),
                  "--cases",
                  String.join(",", cases()),
                  "--json",
                  json.toString()),
              (long) budget.secondsLeft());
      if (!finished) {
        report.note("PyTorch in %s failed or was stopped before its end".formatted(name));
      }
      // It writes all it has after each measurement.
      if (Files.size(json) > 0) {
        for (Results.PeerIteration row :
            JSON.readValue(json.toFile(), Results.PeerIteration[].class)) {
          report.add(row);
        }
      }
    } finally {
      Files.delete(json);
    }
  }

  /** The cases of this program by the peer's labels. */
  private List<String> cases() {
    List<String> cases = new ArrayList<>();
    for (Sizes.Subject subject : sizes.networks()) {
      for (int batch : subject.batches()) {
        for (String stage : List.of(Measurements.SYNTHESIS, Measurements.FINE_TUNING)) {
          cases.add("%s-%s-%d".formatted(stage, subject.name(), batch));
        }
      }
    }
    return cases;
  }

  /** Runs a command; whether it ended well and in time. */
  private static boolean succeeds(List<String> command, long seconds)
      throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.INHERIT)
            .start();
    if (process.waitFor(seconds, TimeUnit.SECONDS)) {
      return process.exitValue() == 0;
    }
    // Its compilers are processes of their own.
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly().waitFor();
    return false;
  }
}
