package org.hast4j.cli;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The real command line in a process of its own, with an empty cache folder. */
final class HastProcess {
  private static final int LIMIT_SECONDS = 180;
  private static final String CLASS_PATH = System.getProperty("java.class.path");

  /** In the paths of what the module needs, among those of what the tests need. */
  private static final Pattern ENGINE =
      Pattern.compile(
          "/(hast4j-(?:cli|quantize|runtime|native)-|engine-java/|native/|common-|config-|imageio-|jackson-|jline-|picocli-|progressbar-)[^/]*");

  private final Process process;
  private final Path out;
  private final Path err;

  private HastProcess(Process process, Path out, Path err) {
    this.process = process;
    this.out = out;
    this.err = err;
  }

  /** What a process left behind. */
  record Outcome(int code, String out, String err) {}

  /**
   * Starts a command.
   *
   * @param scratch a folder for its output and as its cache
   */
  static HastProcess start(Path scratch, String... arguments) {
    return start(temporary(scratch, "out"), scratch, onClassPath(CLASS_PATH), Map.of(), arguments);
  }

  private static Path temporary(Path scratch, String name) {
    try {
      return Files.createTempFile(scratch, name, ".txt");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> onClassPath(String classPath) {
    return List.of("--enable-native-access=ALL-UNNAMED", "-cp", classPath, "org.hast4j.cli.Main");
  }

  private static HastProcess start(
      Path out,
      Path scratch,
      List<String> program,
      Map<String, String> environment,
      String... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xmx256m"));
    command.addAll(program);
    command.addAll(List.of(arguments));
    try {
      Path err = temporary(scratch, "err");
      ProcessBuilder builder =
          new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
      builder.environment().put("XDG_CACHE_HOME", scratch.resolve("cache").toString());
      builder.environment().putAll(environment);
      return new HastProcess(builder.start(), out, err);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Runs a command to its end. */
  static Outcome run(Path scratch, String... arguments) {
    return start(scratch, arguments).outcome();
  }

  /** Runs a command to its end with other values in its environment. */
  static Outcome runIn(Map<String, String> environment, Path scratch, String... arguments) {
    return start(
            temporary(scratch, "out"), scratch, onClassPath(CLASS_PATH), environment, arguments)
        .outcome();
  }

  /** Runs a command of the engine as the module it is, with what it needs and nothing else. */
  static Outcome runAsModule(Path scratch, String... arguments) {
    String path =
        Arrays.stream(CLASS_PATH.split(File.pathSeparator))
            .filter(entry -> ENGINE.matcher(entry).find())
            .collect(Collectors.joining(File.pathSeparator));
    List<String> program =
        List.of(
            "--enable-native-access=org.hast4j.cli",
            "-p",
            path,
            "-m",
            "org.hast4j.cli/org.hast4j.cli.Main");
    return start(temporary(scratch, "out"), scratch, program, Map.of(), arguments).outcome();
  }

  /** Runs a command to its end with another standard output, which the outcome lacks. */
  static Outcome runInto(Path device, Path scratch, String... arguments) {
    return start(device, scratch, onClassPath(CLASS_PATH), Map.of(), arguments).outcome();
  }

  /**
   * Runs a command to its end with another CUDA library than the build's.
   *
   * @param library goes below {@code scratch}, where the program looks first
   */
  static Outcome runOn(Path library, Path scratch, String... arguments) {
    try {
      Path resource = scratch.resolve("org/hast4j/native/linux-x86_64/libhast_cuda.so");
      if (!Files.exists(resource)) {
        Files.createDirectories(resource.getParent());
        Files.copy(library, resource);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return runBehind(scratch, scratch, arguments);
  }

  /** Runs a command to its end with a folder's classes and resources in front of its own. */
  static Outcome runBehind(Path folder, Path scratch, String... arguments) {
    String classPath = folder + File.pathSeparator + CLASS_PATH;
    return start(temporary(scratch, "out"), scratch, onClassPath(classPath), Map.of(), arguments)
        .outcome();
  }

  boolean isAlive() {
    return process.isAlive();
  }

  /** SIGKILL: nothing gets a chance to tidy up. */
  void kill() {
    process.destroyForcibly();
  }

  /** SIGTERM: the program is asked to end. */
  void terminate() {
    process.destroy();
  }

  Outcome outcome() {
    try {
      if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new IllegalStateException("still running after %d s".formatted(LIMIT_SECONDS));
      }
      return new Outcome(
          process.exitValue(),
          Files.isRegularFile(out) ? Files.readString(out) : "",
          Files.readString(err));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
