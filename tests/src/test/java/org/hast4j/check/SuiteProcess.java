package org.hast4j.check;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.hast4j.check.SuiteResult.Remark;

/**
 * A suite in a process of its own: a kernel that hangs, crashes or spoils the device's context
 * costs its own suite only.
 */
final class SuiteProcess {
  private final String suite;
  private final List<Remark> failures = new ArrayList<>();
  private final List<Remark> skipped = new ArrayList<>();
  private int passed;
  private String running = "";
  private volatile boolean late;

  private SuiteProcess(String suite) {
    this.suite = suite;
  }

  /**
   * Runs a suite.
   *
   * @param name of the result
   * @param wrapper a command that runs the process as its own child; empty for none
   * @param limit after which the process is killed
   */
  static SuiteResult run(String name, Class<?> suite, List<String> wrapper, Duration limit) {
    long start = System.nanoTime();
    SuiteProcess run = new SuiteProcess(suite.getName());
    String end = run.toEnd(wrapper, limit);
    if (!end.isEmpty()) {
      Remark remark = new Remark(run.running.isEmpty() ? "outside of any case" : run.running, end);
      // Under a tool that slows everything down, cases there was no time for are no failures.
      (run.late && !wrapper.isEmpty() ? run.skipped : run.failures).add(remark);
    }
    return new SuiteResult(
        name, run.passed, run.failures, run.skipped, (System.nanoTime() - start) * 1e-9);
  }

  /** Says how the process ended, unless it ended well. */
  private String toEnd(List<String> wrapper, Duration limit) {
    List<String> command = new ArrayList<>(wrapper);
    command.addAll(
        List.of(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-XX:+UseSerialGC",
            "--enable-native-access=ALL-UNNAMED",
            "-ea",
            "-cp",
            System.getProperty("java.class.path"),
            SuiteRun.class.getName(),
            suite));
    try {
      Process process =
          new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
      Thread watch = Thread.ofPlatform().daemon().start(() -> watch(process, limit));
      try (BufferedReader lines = process.inputReader(StandardCharsets.UTF_8)) {
        ObjectMapper json = new ObjectMapper();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          if (line.startsWith(SuiteEvent.MARK)) {
            try {
              heard(json.readValue(line.substring(SuiteEvent.MARK.length()), SuiteEvent.class));
            } catch (JsonProcessingException e) {
              // The process died in the middle of a line: how it ended follows.
              break;
            }
          }
        }
      }
      int status = process.waitFor();
      watch.interrupt();
      watch.join();
      if (late) {
        return "killed: not finished after %d seconds".formatted(limit.toSeconds());
      }
      return status == 0 ? "" : "the process ended with status " + status;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while it ran " + suite, e);
    }
  }

  private void watch(Process process, Duration limit) {
    try {
      if (!process.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        late = true;
        // The wrapper's child first: while it lives it keeps the pipe open that is read here.
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
      }
    } catch (InterruptedException e) {
      // The process has ended.
    }
  }

  private void heard(SuiteEvent event) {
    running = event.kind() == SuiteEvent.Kind.STARTED ? event.test() : "";
    switch (event.kind()) {
      case STARTED -> {}
      case PASSED -> passed++;
      case FAILED -> failures.add(new Remark(event.test(), event.detail()));
      case SKIPPED -> skipped.add(new Remark(event.test(), event.detail()));
    }
  }
}
