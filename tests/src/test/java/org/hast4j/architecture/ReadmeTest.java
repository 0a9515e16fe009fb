package org.hast4j.architecture;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What the README shows compiles against what the modules export. */
class ReadmeTest {
  private static final List<Path> MODULES =
      Stream.of("runtime", "quantize")
          .map(name -> Path.of("../engine-java", name, "src/main/java/module-info.java"))
          .toList();

  // Those to everybody.
  private static final Pattern EXPORTS = Pattern.compile("exports ([\\w.]+);");

  @TempDir private Path scratch;

  static List<Snippet> snippets() throws IOException {
    return Snippet.of(Path.of("../README.md"));
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
  void compiles(Snippet snippet) throws IOException {
    new Snippet(imports() + "class Shown { void run(byte[] pixels) {\n" + snippet.code() + "}}\n")
        .compile(scratch.resolve("Shown.java"));
  }
}
