package org.hast4j.check;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.hast4j.check.SuiteResult.Remark;

/**
 * NVIDIA's compute-sanitizer, which watches every memory access of every kernel.
 *
 * @param program its path
 */
record Sanitizer(Path program) {
  /** What it looks for: accesses out of bounds, and races in shared memory. */
  static final List<String> TOOLS = List.of("memcheck", "racecheck");

  private static final String NAME = "compute-sanitizer";
  private static final Path TOOLKIT = Path.of("/usr/local/cuda/bin");
  private static final int SHOWN_LINES = 20;

  /** The one on the PATH, or in the toolkit's usual place. */
  static Optional<Sanitizer> find() {
    String path = Optional.ofNullable(System.getenv("PATH")).orElse("");
    return Stream.concat(Stream.of(path.split(":")).map(Path::of), Stream.of(TOOLKIT))
        .map(folder -> folder.resolve(NAME))
        .filter(Files::isExecutable)
        .findFirst()
        .map(Sanitizer::new);
  }

  /**
   * Runs a suite under a tool.
   *
   * @param log the tool's report
   */
  SuiteResult run(String tool, Class<?> suite, Path log, Duration limit) {
    List<String> wrapper =
        List.of(
            program.toString(),
            "--tool",
            tool,
            "--target-processes",
            "all",
            "--error-exitcode",
            "1",
            "--log-file",
            log.toString());
    String name = tool + " " + suite.getSimpleName();
    SuiteResult result = SuiteProcess.run(name, suite, wrapper, limit);
    if (result.failures().isEmpty()) {
      return result;
    }
    // Whatever failed, the tool's report may tell why.
    List<Remark> failures = Stream.concat(result.failures().stream(), Stream.of(end(log))).toList();
    return new SuiteResult(name, result.passed(), failures, result.skipped(), result.seconds());
  }

  private static Remark end(Path log) {
    String subject = "end of " + log;
    if (!Files.exists(log)) {
      return new Remark(subject, "no such file");
    }
    try {
      List<String> lines = Files.readAllLines(log);
      return new Remark(
          subject,
          String.join("\n", lines.subList(Math.max(0, lines.size() - SHOWN_LINES), lines.size())));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
