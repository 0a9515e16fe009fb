package org.hast4j.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The scripts that start Java, on a program of two jars, in folders of all sorts of names. */
class LauncherTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Path JAVA = Path.of(System.getProperty("java.home"));

  @TempDir private Path scratch;

  /** Puts a class of a source of its own into a jar. */
  private void jar(Path jar, String name, String source) throws IOException {
    Path classes = Files.createDirectories(scratch.resolve("classes"));
    Path file =
        Files.writeString(scratch.resolve(name.replaceAll(".*\\.", "") + ".java"), source, UTF_8);
    int status =
        ToolProvider.getSystemJavaCompiler()
            .run(
                null,
                null,
                null,
                "-proc:none",
                "-cp",
                classes.toString(),
                "-d",
                classes.toString(),
                file.toString());
    assertThat(status).isZero();
    String entry = name.replace('.', '/') + ".class";
    Files.createDirectories(jar.getParent());
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
      out.putNextEntry(new JarEntry(entry));
      Files.copy(classes.resolve(entry), out);
    }
  }

  /** A program that says its arguments with a word from another jar. */
  private void program(Path jar, Path library) throws IOException {
    jar(library, "org.hast4j.Word", "package org.hast4j; public class Word { }");
    jar(
        jar,
        "org.hast4j.cli.Main",
        "package org.hast4j.cli; public class Main { public static void main(String[] a) {"
            + " System.out.println(new org.hast4j.Word().getClass().getSimpleName() + a[0]); } }");
  }

  private static void copy(Path from, Path to) throws IOException {
    Files.createDirectories(to);
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.toList()) {
        // With who may execute it.
        Files.copy(file, to.resolve(file.getFileName()), StandardCopyOption.COPY_ATTRIBUTES);
      }
    }
  }

  private record Outcome(int code, String out) {}

  /** From another folder, with an argument. */
  private Outcome run(Path script) throws IOException, InterruptedException {
    ProcessBuilder builder =
        new ProcessBuilder(script.toString(), "?")
            .directory(scratch.toFile())
            .redirectErrorStream(true);
    builder.environment().put("JAVA_HOME", JAVA.toString());
    Process process = builder.start();
    String out = new String(process.getInputStream().readAllBytes(), UTF_8);
    return new Outcome(process.waitFor(), out);
  }

  @ParameterizedTest
  @ValueSource(strings = {"plain", "a:b", "a b", ":", "a:b/c d:e"})
  void aCheckoutRunsInAnyFolder(String name) throws IOException, InterruptedException {
    Path home = Files.createDirectories(scratch.resolve(name));
    Path target = home.resolve("engine-java/cli/target");
    copy(ROOT.resolve("tools"), home.resolve("tools"));
    for (String source : List.of("native", "cuda-kernels")) {
      Files.createDirectories(home.resolve(source));
    }
    Files.writeString(home.resolve("pom.xml"), "");
    Path script = home.resolve("hast");
    Files.copy(ROOT.resolve("hast"), script, StandardCopyOption.COPY_ATTRIBUTES);
    program(target.resolve("hast4j-cli-1.jar"), target.resolve("lib/word.jar"));
    // Built for whatever this machine can run, after everything else.
    Files.writeString(target.resolve("built"), "cpu cuda");
    assertThat(run(script)).isEqualTo(new Outcome(0, "Word?\n"));
  }

  private Path bundle(String name) throws IOException {
    Path home = scratch.resolve(name);
    copy(ROOT.resolve("bundle/content"), home);
    Path java = Files.createDirectories(home.resolve("runtime/bin")).resolve("java");
    Files.writeString(java, "#!/bin/sh\nexec '%s' \"$@\"\n".formatted(JAVA.resolve("bin/java")));
    assertThat(java.toFile().setExecutable(true)).isTrue();
    program(home.resolve("lib/program.jar"), home.resolve("lib/word.jar"));
    return home;
  }

  @ParameterizedTest
  @ValueSource(strings = {"plain", "a b"})
  void aBundleRuns(String name) throws IOException, InterruptedException {
    assertThat(run(bundle(name).resolve("hast"))).isEqualTo(new Outcome(0, "Word?\n"));
  }

  /** The Java that it brings does not start there. */
  @ParameterizedTest
  @ValueSource(strings = {"hast", "check", "bench"})
  void aBundleBehindAColonSaysThatItMustMove(String script)
      throws IOException, InterruptedException {
    Path home = bundle("a:b");
    Outcome outcome = run(home.resolve(script));
    assertThat(outcome.code()).isEqualTo(1);
    assertThat(outcome.out()).contains("colon", "move " + home.toRealPath()).hasLineCount(1);
  }
}
