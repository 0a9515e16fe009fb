import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Writes the Java binding of the C ABI: a class for each function that the headers declare, with a
 * setter for each parameter and the header's comment as Javadoc, and their constants. Functions of
 * status.h tell a library from others before any call is bound, and are bound by the class that
 * loads libraries.
 *
 * <p>usage: java GenerateBinding.java HEADERS SOURCES
 */
final class GenerateBinding {
  private static final String PACKAGE = "org.hast4j.kernel.abi";
  private static final String MARKS = "HAST_(OPTIONAL|RESULT|HOST|HEAP)\\s+";
  private static final Pattern CONSTANT = Pattern.compile("#define HAST_(\\w+) \\(?(-?\\d+)\\)?");
  private static final Pattern DECLARATION =
      Pattern.compile(
          "/\\*(?<comment>(?:(?!\\*/).)*)\\*/\\s*(?=HAST_API)|HAST_API\\s+(?<result>\\w+)"
              + " (?<name>hast_\\w+)\\((?<parameters>.*?)\\)\\s+HAST_NOEXCEPT;",
          Pattern.DOTALL);
  private static final Pattern PARAMETER =
      Pattern.compile(
          "(?<mark>"
              + MARKS
              + ")?(?<type>(?:const )?\\w+\\**) (?<name>\\w+)(?:,|$)|/\\*(?<comment>.*?)\\*/",
          Pattern.DOTALL);

  /**
   * What a parameter is to Java: its type, the layout of that in C, and how a result of it is read.
   */
  private enum Kind {
    POINTER("long", "JAVA_LONG"),
    LONG("long", "JAVA_LONG"),
    INT("int", "JAVA_INT"),
    FLOAT("float", "JAVA_FLOAT"),
    /** Numbers that are copied to memory of the host. */
    HOST("MemorySegment", "ADDRESS"),
    /** Memory of the caller. */
    HEAP("MemorySegment", "ADDRESS");

    final String type;
    final String layout;

    Kind(String type, String layout) {
      this.type = type;
      this.layout = layout;
    }

    static Kind host(String declared) {
      if (!declared.equals("const int32_t*")) {
        throw new IllegalArgumentException("the host hands over const int32_t*, not " + declared);
      }
      return HOST;
    }

    static Kind of(String declared) {
      return switch (declared) {
        case String type when type.endsWith("*") -> POINTER;
        case "int64_t" -> LONG;
        case "int32_t" -> INT;
        case "float" -> FLOAT;
        default -> throw new IllegalArgumentException("the ABI has no type " + declared);
      };
    }
  }

  private record Parameter(
      String name, Kind kind, boolean optional, boolean result, String comment) {
    String field() {
      return Pattern.compile("_(\\w)")
          .matcher(name)
          .replaceAll(match -> match.group(1).toUpperCase());
    }
  }

  private record Function(
      String header, String comment, boolean status, String name, List<Parameter> parameters) {
    /**
     * The C name without what all have in common; functions on other types than float32 keep the
     * type.
     */
    String className() {
      return Pattern.compile("_(\\w)")
          .matcher("_" + name.replaceAll("^hast_|_f32$", ""))
          .replaceAll(match -> match.group(1).toUpperCase());
    }

    boolean launched() {
      return status
          && !parameters.isEmpty()
          && parameters.getLast().name().equals("stream")
          && !parameters.getLast().result();
    }

    List<Parameter> results() {
      return parameters.stream().filter(Parameter::result).toList();
    }

    /** What is set before the call; a stream is given with it. */
    List<Parameter> set() {
      List<Parameter> own = launched() ? parameters.subList(0, parameters.size() - 1) : parameters;
      return own.stream().filter(parameter -> !parameter.result()).toList();
    }
  }

  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[1]).resolve(PACKAGE.replace('.', '/'));
    List<Function> functions = new ArrayList<>();
    StringBuilder constants = new StringBuilder();
    List<Path> headers;
    try (Stream<Path> files = Files.list(Path.of(arguments[0]))) {
      headers = files.filter(file -> file.toString().endsWith(".h")).sorted().toList();
    }
    for (Path header : headers) {
      String text = Files.readString(header);
      Matcher constant = CONSTANT.matcher(text);
      while (constant.find()) {
        constants.append(
            "  public static final int %s = %s;\n".formatted(constant.group(1), constant.group(2)));
      }
      if (!header.endsWith("status.h")) {
        functions.addAll(functions(header, text));
      }
    }
    Files.createDirectories(folder);
    Set<Path> written = new HashSet<>();
    for (Function function : functions) {
      written.add(write(folder.resolve(function.className() + ".java"), source(function)));
    }
    written.add(write(folder.resolve("Abi.java"), constants(constants, functions)));
    try (Stream<Path> files = Files.list(folder)) {
      for (Path stale : files.filter(file -> !written.contains(file)).toList()) {
        Files.delete(stale);
      }
    }
  }

  private static List<Function> functions(Path header, String text) {
    List<Function> functions = new ArrayList<>();
    String comment = "";
    Matcher matcher = DECLARATION.matcher(text);
    while (matcher.find()) {
      if (matcher.group("name") == null) {
        comment = matcher.group("comment").replaceAll("(?m)^ \\* ?", "").strip();
      } else {
        boolean status = matcher.group("result").equals("int32_t");
        functions.add(
            new Function(
                header.getFileName().toString(),
                comment,
                status,
                matcher.group("name"),
                parameters(matcher.group("parameters"))));
      }
    }
    long declared = Pattern.compile("^HAST_API", Pattern.MULTILINE).matcher(text).results().count();
    if (declared != functions.size()) {
      throw new IllegalArgumentException(
          "%s declares %d functions, %d of them are understood"
              .formatted(header, declared, functions.size()));
    }
    return functions;
  }

  /** A comment speaks for the parameters between it and the comment before it. */
  private static List<Parameter> parameters(String text) {
    List<Parameter> parameters = new ArrayList<>();
    int commented = 0;
    Matcher matcher = PARAMETER.matcher(text);
    while (matcher.find()) {
      if (matcher.group("name") == null) {
        String comment = matcher.group("comment").strip();
        for (; commented < parameters.size(); commented++) {
          Parameter p = parameters.get(commented);
          parameters.set(
              commented, new Parameter(p.name(), p.kind(), p.optional(), p.result(), comment));
        }
      } else {
        String mark = matcher.group("mark") == null ? "" : matcher.group("mark").strip();
        boolean result = mark.equals("HAST_RESULT");
        String type = matcher.group("type");
        Kind kind =
            switch (mark) {
              case "HAST_HEAP" -> Kind.HEAP;
              case "HAST_HOST" -> Kind.host(type);
              default -> Kind.of(result ? type.substring(0, type.length() - 1) : type);
            };
        parameters.add(
            new Parameter(matcher.group("name"), kind, mark.equals("HAST_OPTIONAL"), result, ""));
      }
    }
    return parameters;
  }

  private static String source(Function function) {
    String name = function.className();
    List<Parameter> set = function.set();
    boolean heap = set.stream().anyMatch(parameter -> parameter.kind() == Kind.HEAP);
    String layouts =
        function.parameters().stream()
            .map(parameter -> ", " + (parameter.result() ? "JAVA_LONG" : parameter.kind().layout))
            .collect(Collectors.joining());
    StringBuilder body = new StringBuilder();
    for (Parameter parameter : function.results()) {
      body.append("  private %s %s;\n".formatted(parameter.kind().type, parameter.field()));
    }
    for (Parameter parameter : set) {
      body.append("  private %s %s;\n".formatted(parameter.kind().type, parameter.field()));
    }
    body.append(
        "\n  public %s(KernelLibrary library) {\n    super(library, \"%s\", PARAMETERS);\n  }\n"
            .formatted(name, function.name()));
    for (int i = 0; i < set.size(); i++) {
      Parameter p = set.get(i);
      body.append(p.comment().isEmpty() ? "\n" : "\n  /** %s */\n".formatted(javadoc(p.comment())));
      boolean host = p.kind() == Kind.HOST;
      body.append(
          "  public %s %s(%s %s) {\n    this.%s = %s;\n    set(%d);\n    return this;\n  }\n"
              .formatted(
                  name,
                  p.field(),
                  host ? "int..." : p.kind().type,
                  p.field(),
                  p.field(),
                  host ? "ints(" + p.field() + ")" : p.field(),
                  i));
    }
    for (Parameter parameter : function.results()) {
      body.append(
          "\n  /** A result of the last call. */\n  public %s %s() {\n    return %s;\n  }\n"
              .formatted(parameter.kind().type, parameter.field(), parameter.field()));
    }
    if (!function.launched()) {
      body.append(
          function.status()
              ? "\n  public %s call() {\n    run(0);\n    return this;\n  }\n".formatted(name)
              : "\n  public long call() {\n    return query();\n  }\n");
    }
    body.append(invocation(function));
    body.append(
        "\n  @Override\n  protected Object[] arguments() {\n    return new Object[] {%s};\n  }\n"
            .formatted(set.stream().map(Parameter::field).collect(Collectors.joining(", "))));
    return """
    package %s;

    import static java.lang.foreign.ValueLayout.*;

    import java.lang.foreign.*;
    import java.lang.invoke.MethodHandle;
    import java.util.List;
    import org.hast4j.kernel.*;

    /**
     * {@code %s} of {@code hast/%s}:
     *
     * <pre>%s</pre>
     */
    public final class %s extends %s {
      private static final MethodHandle HANDLE =
          Linker.nativeLinker()
              .downcallHandle(FunctionDescriptor.of(%s%s)%s);
      private static final List<Parameter> PARAMETERS = List.of(%s);

    %s}
    """
        .formatted(
            PACKAGE,
            function.name(),
            function.header(),
            javadoc(function.comment()).replace("\n", "\n * "),
            name,
            function.launched() ? "KernelCall" : "NativeCall",
            function.status() ? "JAVA_INT" : "JAVA_LONG",
            layouts,
            heap ? ", Linker.Option.critical(true)" : "",
            set.stream()
                .map(GenerateBinding::described)
                .collect(Collectors.joining(",\n              ")),
            body);
  }

  private static String described(Parameter p) {
    return "new Parameter(\"%s\", %b, %b)"
        .formatted(p.name(), p.kind() == Kind.POINTER, p.optional());
  }

  /** The downcall, with host memory for its results where it has some. */
  private static String invocation(Function function) {
    List<Parameter> results = function.results();
    String call =
        "(%s) HANDLE.invokeExact(function%s)"
            .formatted(
                function.status() ? "int" : "long",
                function.parameters().stream()
                    .map(
                        p ->
                            ", "
                                + (p.result()
                                    ? "results.address() + " + 8 * results.indexOf(p)
                                    : p.field()))
                    .collect(Collectors.joining()));
    String head =
        "\n  @Override\n  protected long invoke(long %s) throws Throwable {\n"
            .formatted(function.launched() ? "stream" : "none");
    if (results.isEmpty()) {
      return head + "    return %s;\n  }\n".formatted(call);
    }
    String reads =
        IntStream.range(0, results.size())
            .mapToObj(
                i ->
                    "      %s = results.get(%s, %d);\n"
                        .formatted(results.get(i).field(), results.get(i).kind().layout, 8 * i))
            .collect(Collectors.joining());
    return head
        + """
            try (Arena arena = Arena.ofConfined()) {
              MemorySegment results = arena.allocate(%d, 8);
              int status = %s;
        %s      return status;
            }
          }
        """
            .formatted(8 * results.size(), call, reads);
  }

  private static String javadoc(String comment) {
    return comment
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("@", "&#64;");
  }

  private static String constants(StringBuilder constants, List<Function> functions) {
    return """
    package %s;

    import java.util.List;

    /** Constants of the C ABI, and the functions of a library that implements it. */
    public final class Abi {
    %s
      public static final List<String> FUNCTIONS = List.of(%s);

      private Abi() {}
    }
    """
        .formatted(
            PACKAGE,
            constants,
            functions.stream()
                .map(function -> '"' + function.name() + '"')
                .sorted()
                .collect(Collectors.joining(",\n      ")));
  }

  /** Leaves a file that is right already untouched, so that it is not compiled again. */
  private static Path write(Path file, String text) throws IOException {
    if (!Files.exists(file) || !Files.readString(file).equals(text)) {
      Files.writeString(file, text);
    }
    return file;
  }
}
