package org.hast4j.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the README shows compiles against what the modules export. */
class ReadmeTest {
  private static final Pattern JAVA = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);
  private static final List<Path> MODULES =
      Stream.of("runtime", "quantize")
          .map(name -> Path.of("../engine-java", name, "src/main/java/module-info.java"))
          .toList();

  // Those to everybody.
  private static final Pattern EXPORTS = Pattern.compile("exports ([\\w.]+);");

  @TempDir private Path scratch;

  static Stream<String> snippets() throws IOException {
    List<String> found =
        JAVA.matcher(Files.readString(Path.of("../README.md")))
            .results()
            .map(match -> match.group(1))
            .toList();
    assertThat(found).isNotEmpty();
    return found.stream();
  }

  private static String imports() throws IOException {
    List<String> exported = new ArrayList<>();
    for (Path module : MODULES) {
      EXPORTS
          .matcher(Files.readString(module))
          .results()
          .forEach(match -> exported.add(match.group(1)));
    }
    return Stream.concat(Stream.of("java.nio.file", "java.time", "java.util"), exported.stream())
        .map(name -> "import " + name + ".*;\n")
        .collect(Collectors.joining());
  }

  @ParameterizedTest
  @MethodSource("snippets")
  void compiles(String snippet) throws IOException {
    Path source =
        Files.writeString(
            scratch.resolve("Snippet.java"),
            imports() + "class Snippet { void run(byte[] pixels) {\n" + snippet + "}}\n");
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter messages = new StringWriter();
    List<String> options =
        List.of("-d", scratch.toString(), "-cp", System.getProperty("java.class.path"));
    boolean compiled =
        compiler
            .getTask(
                messages,
                null,
                null,
                options,
                null,
                compiler.getStandardFileManager(null, null, null).getJavaFileObjects(source))
            .call();
    assertThat(compiled).as(messages.toString()).isTrue();
  }
}
