package org.hast4j.kernel;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The functions that the C headers declare. */
final class CHeaders {
  static final Path FOLDER = Path.of("../native/include/hast");

  private static final Pattern FUNCTION =
      Pattern.compile(
          "HAST_API\\s+(.*?)\\b(hast_\\w+)\\((.*?)\\)\\s*HAST_NOEXCEPT;", Pattern.DOTALL);
  private static final Pattern COMMENT = Pattern.compile("/\\*.*?\\*/", Pattern.DOTALL);

  private CHeaders() {}

  /**
   * A parameter.
   *
   * @param kind p for an address, j for int64_t, i for int32_t, f for float
   * @param nullable whether its comment allows NULL
   */
  record Parameter(char kind, String name, boolean nullable) {
    /** The name in Java's spelling. */
    String javaName() {
      return Pattern.compile("_(\\w)")
          .matcher(name)
          .replaceAll(match -> match.group(1).toUpperCase());
    }
  }

  /** A function and the type it returns. */
  record Function(String name, String result, List<Parameter> parameters) {
    String kinds() {
      StringBuilder kinds = new StringBuilder();
      parameters.forEach(parameter -> kinds.append(parameter.kind()));
      return kinds.toString();
    }
  }

  /** Every declared function by name. */
  static Map<String, Function> functions() {
    Map<String, Function> functions = new TreeMap<>();
    try (Stream<Path> files = Files.list(FOLDER)) {
      for (Path file : files.filter(path -> path.toString().endsWith(".h")).toList()) {
        Matcher matcher = FUNCTION.matcher(Files.readString(file));
        while (matcher.find()) {
          String name = matcher.group(2);
          functions.put(
              name, new Function(name, matcher.group(1).strip(), parameters(matcher.group(3))));
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return functions;
  }

  private static List<Parameter> parameters(String text) {
    List<Parameter> parameters = new ArrayList<>();
    // A comment speaks for the parameters on its line.
    for (String line : text.split("\n")) {
      boolean nullable = line.contains("NULL") || line.contains("with stat_grad");
      for (String declaration : COMMENT.matcher(line).replaceAll("").split(",")) {
        String stripped = declaration.strip();
        if (!stripped.isEmpty() && !stripped.equals("void")) {
          String name = stripped.substring(stripped.lastIndexOf(' ') + 1);
          parameters.add(new Parameter(kind(stripped), name, nullable || name.equals("workspace")));
        }
      }
    }
    return parameters;
  }

  private static char kind(String declaration) {
    if (declaration.contains("*")) {
      return 'p';
    }
    return switch (declaration.substring(0, declaration.indexOf(' '))) {
      case "int64_t" -> 'j';
      case "int32_t" -> 'i';
      case "float" -> 'f';
      default -> throw new IllegalArgumentException("not a type of the ABI: " + declaration);
    };
  }
}
