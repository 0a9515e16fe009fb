package org.hast4j.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the lower modules say reads well in a program that has no command line. */
class MessagesTest {
  /** A string on one line that names an option, or the launcher. */
  private static final Pattern COMMAND_LINE =
      Pattern.compile("\"(?:[^\"\\\\\n]|\\\\.)*?(?<![\\w-])(?:--[a-z]|\\./hast\\b)");

  @ParameterizedTest
  @ValueSource(strings = {"runtime", "quantize"})
  void noMessageSpeaksOfTheCommandLine(String module) throws IOException {
    List<Path> sources;
    try (Stream<Path> files = Files.walk(Path.of("../engine-java", module, "src/main/java"))) {
      sources = files.filter(file -> file.toString().endsWith(".java")).toList();
    }
    assertThat(sources).isNotEmpty();
    for (Path source : sources) {
      assertThat(Files.readString(source).lines().filter(COMMAND_LINE.asPredicate()))
          .as(source.toString())
          .isEmpty();
    }
  }
}
