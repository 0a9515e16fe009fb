package org.hast4j.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Somebody else's program of a few lines, with the runtime, the kernels and a JSON reader and
 * nothing else: as modules, on the class path, in one jar, and on machines that forbid things.
 */
class ConsumerTest {
  private static final String PROGRAM =
      """
      package consumer;

      import java.nio.file.*;
      import org.hast4j.session.*;

      public class Main {
        public static void main(String[] files) throws java.io.IOException {
          try (Classifier classifier = Classifier.load(Path.of(files[0]));
              Session session = classifier.session()) {
            System.out.println(session.classify(Files.readAllBytes(Path.of(files[1]))));
          }
        }
      }
      """;
  private static final String MODULE = "module consumer { requires org.hast4j.runtime; }";

  /** In the path of each artifact it needs, be it a jar or a folder of classes. */
  private static final List<Pattern> NEEDED =
      Stream.of(
              "hast4j-runtime-[^/]*\\.jar|engine-java/runtime/target/classes",
              "hast4j-native-[^/]*\\.jar|native/target/classes",
              "jackson-core-[^/]*\\.jar")
          .map(Pattern::compile)
          .toList();

  @TempDir private static Path scratch;
  private static List<String> needed;
  private static Path network;
  private static Path image;
  private static String expected;

  @BeforeAll
  static void prepare() throws IOException {
    List<String> all =
        Arrays.asList(System.getProperty("java.class.path").split(File.pathSeparator));
    needed =
        NEEDED.stream()
            .flatMap(
                pattern -> all.stream().filter(entry -> pattern.matcher(entry).find()).limit(1))
            .toList();
    assumeThat(needed).as("built by Maven").hasSize(NEEDED.size());
    network = scratch.resolve("quantised.safetensors");
    SessionTest.quantized().write(network);
    byte[] pixels = new byte[3 * 32 * 32];
    new Random(3).nextBytes(pixels);
    image = Files.write(scratch.resolve("pixels"), pixels);
    try (Classifier classifier = Classifier.load(network);
        Session session = classifier.session()) {
      expected = session.classify(pixels) + "\n";
    }
    compile("plain", List.of("-cp", String.join(File.pathSeparator, needed)));
  }

  private static void compile(String folder, List<String> options) throws IOException {
    Path sources = Files.createDirectories(scratch.resolve(folder + "-source"));
    List<Path> files = new ArrayList<>();
    files.add(Files.writeString(sources.resolve("Main.java"), PROGRAM));
    if (options.contains("-p")) {
      files.add(Files.writeString(sources.resolve("module-info.java"), MODULE));
    }
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter messages = new StringWriter();
    List<String> all = new ArrayList<>(options);
    all.addAll(List.of("-proc:none", "-d", scratch.resolve(folder).toString()));
    boolean compiled =
        compiler
            .getTask(
                messages,
                null,
                null,
                all,
                null,
                compiler
                    .getStandardFileManager(null, null, null)
                    .getJavaFileObjectsFromPaths(files))
            .call();
    assertThat(compiled).as(messages.toString()).isTrue();
  }

  /** What a program said, and its exit status in front. */
  private static String run(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of(arguments));
    command.addAll(List.of(network.toString(), image.toString()));
    Path out = scratch.resolve("out");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(out.toFile()).start();
    assertThat(process.waitFor(120, TimeUnit.SECONDS)).isTrue();
    return process.exitValue() + " " + Files.readString(out);
  }

  private static String classPath() {
    return scratch.resolve("plain") + File.pathSeparator + String.join(File.pathSeparator, needed);
  }

  @Test
  void asModules() throws IOException, InterruptedException {
    String path = String.join(File.pathSeparator, needed);
    compile("modules", List.of("-p", path));
    assertThat(
            run(
                "--enable-native-access=org.hast4j.runtime",
                "-p",
                scratch.resolve("modules") + File.pathSeparator + path,
                "-m",
                "consumer/consumer.Main"))
        .isEqualTo("0 " + expected);
  }

  @Test
  void onTheClassPath() throws IOException, InterruptedException {
    assertThat(run("--enable-native-access=ALL-UNNAMED", "-cp", classPath(), "consumer.Main"))
        .isEqualTo("0 " + expected);
  }

  /** As the simplest of tools makes one: of files with one name the first stays. */
  @Test
  void inOneJar() throws IOException, InterruptedException {
    assumeThat(needed).as("built by Maven").allMatch(entry -> entry.endsWith(".jar"));
    Path jar = scratch.resolve("one.jar");
    try (ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(jar))) {
      List<String> names = new ArrayList<>();
      out.putNextEntry(new ZipEntry("consumer/Main.class"));
      Files.copy(scratch.resolve("plain/consumer/Main.class"), out);
      for (String entry : needed) {
        copy(Path.of(entry), out, names);
      }
    }
    assertThat(run("--enable-native-access=ALL-UNNAMED", "-cp", jar.toString(), "consumer.Main"))
        .isEqualTo("0 " + expected);
  }

  private static void copy(Path jar, OutputStream out, List<String> names) throws IOException {
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      for (ZipEntry entry : (Iterable<ZipEntry>) zip.stream().map(ZipEntry.class::cast)::iterator) {
        if (!entry.isDirectory() && !names.contains(entry.getName())) {
          names.add(entry.getName());
          ((ZipOutputStream) out).putNextEntry(new ZipEntry(entry.getName()));
          try (InputStream in = zip.getInputStream(entry)) {
            in.transferTo(out);
          }
        }
      }
    }
  }

  /** One where nobody can write; the system property names another, and the error the property. */
  @Test
  void whereTheTemporaryFolderIsNoUse() throws IOException, InterruptedException {
    assumeThat(needed).as("built by Maven").allMatch(entry -> entry.endsWith(".jar"));
    String[] program = {
      "--enable-native-access=ALL-UNNAMED",
      "-Djava.io.tmpdir=/proc",
      "-cp",
      classPath(),
      "consumer.Main"
    };
    assertThat(run(program))
        .startsWith("1 ")
        .contains("temporary folder /proc")
        .contains("-Dorg.hast4j.natives.folder=<folder>");
    Path folder = scratch.resolve("kernels");
    String[] elsewhere = new String[program.length + 1];
    elsewhere[0] = "-Dorg.hast4j.natives.folder=" + folder;
    System.arraycopy(program, 0, elsewhere, 1, program.length);
    assertThat(run(elsewhere)).isEqualTo("0 " + expected);
    try (Stream<Path> kept = Files.list(folder)) {
      assertThat(kept).hasSize(1);
    }
    assertThat(run(elsewhere)).as("from what is there").isEqualTo("0 " + expected);
  }

  /** A jar for another platform is as good as none, and the error says which is needed. */
  @Test
  void withoutKernels() throws IOException, InterruptedException {
    String path =
        String.join(
            File.pathSeparator,
            scratch.resolve("plain").toString(),
            needed.getFirst(),
            needed.getLast());
    assertThat(run("--enable-native-access=ALL-UNNAMED", "-cp", path, "consumer.Main"))
        .startsWith("1 ")
        .contains("hast4j-native with the classifier linux-x86_64");
  }
}
