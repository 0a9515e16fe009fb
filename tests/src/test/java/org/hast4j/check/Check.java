package org.hast4j.check;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.IOException;
import java.lang.reflect.Modifier;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.hast4j.check.SuiteResult.Remark;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.junit.platform.commons.support.ReflectionSupport;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Runs the suites of a platform outside the build, on a machine with nothing but a GPU. They are
 * the classes that are named after it, {@code Cuda..Test}. Every test asserts that the devices it
 * used hold no memory any more.
 */
@Command(
    name = "check",
    sortOptions = false,
    description = {
      "Runs the test suites of a platform and prints what came of them.",
      "Exit codes: 0 something ran and nothing failed; 1 otherwise; 2 the command line makes no"
          + " sense."
    })
public final class Check implements Callable<Integer> {
  private static final int SHOWN_FAILURES = 20;
  private static final String SANITIZED = "OpParityTest";

  @Option(
      names = "--device",
      defaultValue = "cuda",
      paramLabel = "PLATFORM",
      description = "cuda, emulated or cpu; ${DEFAULT-VALUE} by default.")
  private Platform platform;

  @Option(
      names = "--sanitizer",
      negatable = true,
      description =
          "Also runs the operations' cases under compute-sanitizer; where it is found by default.")
  private Boolean sanitizer;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Writes the results to this file, and the sanitizer's reports beside it.")
  private Path json;

  @Option(
      names = "--suite-seconds",
      defaultValue = "300",
      paramLabel = "N",
      description = "Kills a suite that takes longer; ${DEFAULT-VALUE} by default.")
  private int suiteSeconds;

  @Option(
      names = "--sanitizer-seconds",
      defaultValue = "600",
      paramLabel = "N",
      description = "The same for a suite under the sanitizer; ${DEFAULT-VALUE} by default.")
  private int sanitizerSeconds;

  @Option(names = "--from", hidden = true, description = "Folder that relative paths start from.")
  private Path from = Path.of("");

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Shows this help.")
  private boolean help;

  private final List<SuiteResult> results = new ArrayList<>();
  private String device = "";

  public static void main(String[] arguments) {
    Locale.setDefault(Locale.ROOT);
    System.exit(
        new CommandLine(new Check()).setCaseInsensitiveEnumValuesAllowed(true).execute(arguments));
  }

  @Override
  public Integer call() throws IOException {
    List<String> obstacles = platform.reasons().orElse(List.of());
    if (obstacles.isEmpty()) {
      try (OpenDevice opened = platform.open(1)) {
        device = opened.description();
      } catch (RuntimeException e) {
        obstacles = List.of(String.valueOf(e.getMessage()));
      }
    }
    if (obstacles.isEmpty()) {
      System.out.printf("%s: %s%n", platform, device);
      suites();
    } else {
      add(failed("platform", platform.toString(), String.join("; ", obstacles)));
    }
    print();
    return passed() ? 0 : 1;
  }

  private void suites() throws IOException {
    String name = platform.name();
    String prefix = name.charAt(0) + name.substring(1).toLowerCase(Locale.ROOT);
    // cuDNN's are the GPU's too, and skip where it is not found.
    List<Class<?>> suites = suites(platform == Platform.CUDA ? "(Cuda|Cudnn)" : prefix);
    for (Class<?> suite : suites) {
      add(
          SuiteProcess.run(
              suite.getSimpleName(), suite, List.of(), Duration.ofSeconds(suiteSeconds)));
    }
    if (platform != Platform.CUDA || Boolean.FALSE.equals(sanitizer)) {
      return;
    }
    Optional<Sanitizer> found = Sanitizer.find();
    if (found.isEmpty()) {
      String missing = "compute-sanitizer is neither on the PATH nor in the toolkit's folder";
      if (sanitizer == null) {
        System.out.println(missing + ": memory accesses and races go unchecked");
      } else {
        add(failed("sanitizer", "compute-sanitizer", missing));
      }
      return;
    }
    Path folder =
        json == null
            ? Files.createTempDirectory("hast-sanitizer")
            : from.resolve(json).toAbsolutePath().getParent();
    for (String tool : Sanitizer.TOOLS) {
      for (Class<?> suite : suites) {
        if (suite.getSimpleName().equals(prefix + SANITIZED)) {
          add(
              found
                  .get()
                  .run(
                      tool,
                      suite,
                      folder.resolve(tool + ".log"),
                      Duration.ofSeconds(sanitizerSeconds)));
        }
      }
    }
  }

  /**
   * Suites in the order of their names.
   *
   * @param prefix a regular expression for how their simple names begin
   */
  static List<Class<?>> suites(String prefix) {
    try {
      return ReflectionSupport.findAllClassesInClasspathRoot(
              Check.class.getProtectionDomain().getCodeSource().getLocation().toURI(),
              type -> !Modifier.isAbstract(type.getModifiers()),
              name -> name.matches("(.*\\.)?" + prefix + "\\w*Test"))
          .stream()
          .sorted(Comparator.comparing(Class::getName))
          .toList();
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  private static SuiteResult failed(String suite, String test, String why) {
    return new SuiteResult(suite, 0, List.of(new Remark(test, why)), List.of(), 0);
  }

  /** Writes what there is so far, too: whatever stops the next suite, it is there. */
  private void add(SuiteResult result) throws IOException {
    results.add(result);
    if (json != null) {
      write(from.resolve(json));
    }
    System.err.printf(
        "%s: %d cases, %d failed%n", result.suite(), result.cases(), result.failures().size());
  }

  private boolean ran() {
    return results.stream().anyMatch(result -> result.passed() > 0);
  }

  private boolean passed() {
    return ran() && results.stream().allMatch(result -> result.failures().isEmpty());
  }

  private void print() {
    System.out.printf(
        "%n%-36s %7s %7s %7s %8s %8s%n",
        "suite", "cases", "passed", "failed", "skipped", "seconds");
    for (SuiteResult result : results) {
      System.out.printf(
          "%-36s %7d %7d %7d %8d %8.1f%n",
          result.suite(),
          result.cases(),
          result.passed(),
          result.failures().size(),
          result.skipped().size(),
          result.seconds());
    }
    for (SuiteResult result : results) {
      print(result.suite(), "failed", result.failures());
      print(result.suite(), "skipped", result.skipped());
    }
    System.out.printf("%n%s%n", passed() ? "passed" : ran() ? "FAILED" : "FAILED: nothing ran");
  }

  private static void print(String suite, String what, List<Remark> remarks) {
    for (Remark remark : remarks.subList(0, Math.min(SHOWN_FAILURES, remarks.size()))) {
      System.out.printf("%n%s %s: %s%n  %s%n", suite, what, remark.test(), remark.summary());
    }
    if (remarks.size() > SHOWN_FAILURES) {
      System.out.printf("%n%s: %d more %s%n", suite, remarks.size() - SHOWN_FAILURES, what);
    }
  }

  private void write(Path file) throws IOException {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("platform", platform);
    json.put("device", device);
    json.put("passed", passed());
    json.put("suites", results);
    new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(file.toFile(), json);
  }
}
