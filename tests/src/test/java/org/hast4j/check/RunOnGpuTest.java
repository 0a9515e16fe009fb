package org.hast4j.check;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The script that unpacks a bundle and runs it, on a bundle that only says what it is told. */
class RunOnGpuTest {
  private static final Path SCRIPT = Path.of("../bundle/run-on-gpu").toAbsolutePath().normalize();

  /** What it uses wherever it runs. */
  private static final List<String> PROGRAMS =
      List.of("bash", "dirname", "mkdir", "mktemp", "rm", "sed", "tar", "tee", "timeout", "uname");

  @TempDir private Path scratch;
  private Path archive;

  private static Optional<Path> find(String program) {
    return Stream.of(System.getenv("PATH").split(":"))
        .map(folder -> Path.of(folder, program))
        .filter(Files::isExecutable)
        .findFirst();
  }

  private static void write(Path script, String text) throws IOException {
    Files.createDirectories(script.getParent());
    Files.writeString(script, "#!/bin/sh\n" + text + "\n");
    assertThat(script.toFile().setExecutable(true)).isTrue();
  }

  private record Outcome(int code, String out) {}

  private Outcome run(List<String> command, Path path) throws IOException, InterruptedException {
    ProcessBuilder builder =
        new ProcessBuilder(command).directory(scratch.toFile()).redirectErrorStream(true);
    builder.environment().put("PATH", path.toString());
    Process process = builder.start();
    String out = new String(process.getInputStream().readAllBytes(), UTF_8);
    return new Outcome(process.waitFor(), out);
  }

  @BeforeEach
  void pack() throws IOException, InterruptedException {
    assumeTrue(find("xz").isPresent(), "no xz here");
    Path bundle = scratch.resolve("hast4j-bundle");
    write(bundle.resolve("check"), "echo checked \"$@\"");
    write(bundle.resolve("bench"), "echo measured \"$@\"");
    archive = scratch.resolve("bundle.tar.xz");
    Path all = Path.of(System.getenv("PATH"));
    assertThat(run(List.of("tar", "-cJf", archive.toString(), "hast4j-bundle"), all).code())
        .isZero();
  }

  /** The interpreter itself: on the PATH may be a script that looks for it. */
  private Path python() throws IOException, InterruptedException {
    List<String> command = List.of("python3", "-c", "import sys; print(sys.executable)");
    return Path.of(run(command, Path.of(System.getenv("PATH"))).out().strip());
  }

  /** A machine with these programs and nothing else. */
  private Path machine(String... more) throws IOException, InterruptedException {
    Path folder = Files.createDirectories(scratch.resolve("programs"));
    for (String program : Stream.concat(PROGRAMS.stream(), Stream.of(more)).toList()) {
      assumeTrue(find(program).isPresent(), () -> "no " + program + " here");
      Path found = program.equals("python3") ? python() : find(program).orElseThrow();
      // Not a link: some find out who they are by how they are called.
      write(folder.resolve(program), "exec '%s' \"$@\"".formatted(found));
    }
    return folder;
  }

  private Outcome runOn(Path machine) throws IOException, InterruptedException {
    return run(List.of(SCRIPT.toString(), archive.toString(), "results", "60"), machine);
  }

  @ParameterizedTest
  @ValueSource(strings = {"xz", "python3"})
  void unpacksByWhatThereIs(String program) throws IOException, InterruptedException {
    Outcome outcome = runOn(machine(program));
    assertThat(outcome.code()).as(outcome.out()).isZero();
    assertThat(scratch.resolve("results/check.txt"))
        .content()
        .startsWith("checked --suite-seconds 7");
    assertThat(scratch.resolve("results/bench.txt")).content().startsWith("measured --quick");
  }

  @Test
  void saysWhatUnpackingTakes() throws IOException, InterruptedException {
    Outcome outcome = runOn(machine());
    assertThat(outcome.code()).isNotZero();
    assertThat(outcome.out()).contains(archive.toString(), "takes xz or Python 3");
    assertThat(scratch.resolve("results/check.txt")).doesNotExist();
  }
}
