package org.hast4j.bench.gpu;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.failure.Mendable;
import org.hast4j.failure.RefusedException;
import org.hast4j.hast.Recipe;
import org.hast4j.kernel.Availability;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.KernelLibrary;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures everything there is to measure on a GPU in one go. */
@Command(
    name = "bench",
    sortOptions = false,
    description = {
      "Times the iterations of the loops beside PyTorch's, kernels beside a copy, convolutions and"
          + " whole runs, and writes gpu-DATE.json and gpu-DATE.md.",
      "Exit codes: 0 everything was measured that the time was enough for; 1 something failed; 2"
          + " the command line makes no sense."
    })
public final class GpuBench implements Callable<Integer> {
  private static final double SECONDS_EACH = 1.5;
  private static final double QUICK_SECONDS_EACH = .4;

  @Spec private CommandSpec spec;

  @Option(
      names = "--seconds",
      defaultValue = "1500",
      paramLabel = "N",
      description =
          "Nothing is begun after so many seconds, the most important first; ${DEFAULT-VALUE} by"
              + " default. A whole run that has begun ends.")
  private double seconds;

  @Option(
      names = "--out",
      defaultValue = ".",
      paramLabel = "FOLDER",
      description = "For the results; this one by default.")
  private Path out;

  @Option(
      names = "--quick",
      description = "Takes less time over each measurement, and leaves out the whole runs.")
  private boolean quick;

  @Option(
      names = "--weights",
      paramLabel = "DIR",
      description = "Also measures the accuracy that the networks in this folder reach.")
  private Path weights;

  @Option(
      names = "--data",
      paramLabel = "PATH",
      description =
          "CIFAR-10's binary version, an archive or a folder, or a folder with test.bin as `hast"
              + " data` stores it; goes with --weights.")
  private Path data;

  @Option(
      names = "--recipes",
      defaultValue = "thorough,released,paper",
      split = ",",
      paramLabel = "NAME",
      description =
          "Of the accuracy runs, comma-separated, in this order; ${DEFAULT-VALUE} by default.")
  private List<String> recipes;

  @Option(
      names = "--seeds",
      defaultValue = "1",
      split = ",",
      paramLabel = "N",
      description = "Of the accuracy runs, comma-separated; ${DEFAULT-VALUE} by default.")
  private List<Long> seeds;

  // The bundle's script gives these two.
  @Option(
      names = "--peers",
      defaultValue = "${sys:hast.peers}",
      paramLabel = "DIR",
      description = "The folder of the PyTorch program.")
  private Path peers;

  @Option(
      names = "--device",
      defaultValue = "cuda",
      description = "cuda or cpu; ${DEFAULT-VALUE} by default.")
  private Backend backend;

  @Option(
      names = "--library",
      paramLabel = "FILE",
      description = "A kernel library in the place of the device's own.")
  private Path library;

  @Option(names = "--tiny", description = "Sizes that tell whether everything runs, and no more.")
  private boolean tiny;

  @Option(names = "--commit", defaultValue = "${sys:hast.commit}", hidden = true)
  private String commit;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Shows this help.")
  private boolean help;

  public static void main(String[] arguments) {
    Locale.setDefault(Locale.ROOT);
    System.exit(
        new CommandLine(new GpuBench())
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setExecutionExceptionHandler((failure, _, _) -> failed(failure))
            .execute(arguments));
  }

  private static int failed(Exception failure) throws Exception {
    if (!Mendable.is(failure)) {
      throw failure;
    }
    // A library, a folder or a file that does not do: the message says which.
    System.err.println("bench: " + failure.getMessage());
    return 1;
  }

  @Override
  public Integer call() {
    if ((weights == null) != (data == null)) {
      throw new ParameterException(
          spec.commandLine(), "--weights and --data go together: accuracy needs both");
    }
    // Their turn comes last: better known now than after the other measurements.
    if (weights != null && !Files.isDirectory(weights)) {
      throw new ParameterException(spec.commandLine(), "--weights: no folder " + weights);
    }
    if (data != null && !Files.exists(data)) {
      throw new ParameterException(spec.commandLine(), "--data: there is no " + data);
    }
    for (String recipe : recipes) {
      try {
        Recipe.read(recipe, Map.of());
      } catch (RefusedException e) {
        throw new ParameterException(spec.commandLine(), "--recipes: " + e.getMessage());
      }
    }
    if (!(seconds > 0)) {
      throw new ParameterException(
          spec.commandLine(), "--seconds must be more than 0, got " + seconds);
    }
    if (library == null
        && KernelLibrary.probe(backend) instanceof Availability.Unavailable unavailable) {
      System.err.println("bench: " + String.join("; ", unavailable.reasons()));
      return 1;
    }
    Budget budget = new Budget(seconds);
    Target target = new Target(backend, Optional.ofNullable(library));
    Sizes sizes = tiny ? Sizes.tiny() : Sizes.measured(quick ? QUICK_SECONDS_EACH : SECONDS_EACH);
    Results results = new Results(origin(target));
    Report report = new Report(out, results);
    Measurements measurements = new Measurements(target, sizes, budget, report);
    measurements.iterations();
    measurements.kernels();
    measurements.convolutions();
    measurements.depthwise();
    WholeRuns runs = new WholeRuns(target, sizes, budget, report);
    if (!quick) {
      runs.paperSized();
    }
    if (peers == null) {
      report.note("no PyTorch beside these numbers: --peers names its program");
    } else {
      new Peer(peers, target, sizes, budget, report).measure();
    }
    if (weights != null) {
      runs.accuracy(weights, data, recipes, seeds);
    }
    report.write();
    return results.failed() ? 1 : 0;
  }

  private Results.Origin origin(Target target) {
    String device;
    try (OpenDevice opened = target.openEager(target.precisions().getFirst())) {
      device = opened.description();
    }
    return new Results.Origin(
        LocalDate.now(ZoneOffset.UTC).toString(),
        commit == null ? "unknown" : commit,
        command(),
        device,
        System.getProperty("java.vm.name") + " " + System.getProperty("java.vm.version"),
        tiny);
  }

  /** As it was given, but folders by their names: where they lay tells nobody anything. */
  private String command() {
    return spec.commandLine().getParseResult().originalArgs().stream()
        .map(argument -> argument.substring(argument.lastIndexOf('/') + 1))
        .collect(Collectors.joining(" ", "bench ", ""))
        .strip();
  }
}
