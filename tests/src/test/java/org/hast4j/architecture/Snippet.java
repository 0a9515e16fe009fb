package org.hast4j.architecture;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;

/** Java that a page shows. */
record Snippet(String code) {
  private static final Pattern JAVA = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);

  /** A page's, in order; there is one at least. */
  static List<Snippet> of(Path page) throws IOException {
    List<Snippet> found =
        JAVA.matcher(Files.readString(page))
            .results()
            .map(match -> new Snippet(match.group(1)))
            .toList();
    assertThat(found).isNotEmpty();
    return found;
  }

  /** Compiles it as the file of a class, into the same folder. */
  void compile(Path file) throws IOException {
    Files.writeString(file, code);
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    StringWriter messages = new StringWriter();
    boolean compiled =
        compiler
            .getTask(
                messages,
                null,
                null,
                List.of(
                    "-d",
                    file.getParent().toString(),
                    "-cp",
                    System.getProperty("java.class.path")),
                null,
                compiler.getStandardFileManager(null, null, null).getJavaFileObjects(file))
            .call();
    assertThat(compiled).as(messages.toString()).isTrue();
  }
}
