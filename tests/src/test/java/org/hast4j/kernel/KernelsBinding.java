package org.hast4j.kernel;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the source of {@link Kernels} binds: it is written by hand, so it is read as text. */
final class KernelsBinding {
  private static final Path SOURCE =
      Path.of("../engine-java/src/main/java/org/hast4j/kernel/Kernels.java");
  private static final Pattern HANDLE =
      Pattern.compile("MethodHandle (\\w+)\\s*=\\s*(call|query)\\(\"(\\w*)\"\\)");
  private static final Pattern SYMBOL = Pattern.compile("(\\w+) = symbols\\.find\\(\"(\\w+)\"\\)");
  private static final Pattern CHECKED =
      Pattern.compile(
          "check\\(\\s*\"(\\w+)\",\\s*\\(int\\)\\s*(\\w+)\\.invokeExact\\(([^;]*?)\\)\\);",
          Pattern.DOTALL);
  private static final Pattern QUERIED =
      Pattern.compile("return \\(long\\)\\s*(\\w+)\\.invokeExact\\(([^;]*?)\\);", Pattern.DOTALL);

  private final String source;

  KernelsBinding() {
    try {
      source = Files.readString(SOURCE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Letters of each handle by the name of its constant. */
  Map<String, String> handles() {
    Map<String, String> handles = new TreeMap<>();
    Matcher matcher = HANDLE.matcher(source);
    while (matcher.find()) {
      handles.put(matcher.group(1), matcher.group(3));
    }
    return handles;
  }

  /** C symbols by the field that holds their address, which the binding method is named after. */
  Map<String, String> symbols() {
    Map<String, String> symbols = new TreeMap<>();
    Matcher matcher = SYMBOL.matcher(source);
    while (matcher.find()) {
      symbols.put(matcher.group(1), matcher.group(2));
    }
    return symbols;
  }

  /**
   * A call in the source.
   *
   * @param symbol what an exception would name; empty for queries, which cannot fail
   */
  record Call(String symbol, String handle, String field, List<String> arguments) {}

  List<Call> calls() {
    List<Call> calls = new java.util.ArrayList<>();
    Matcher checked = CHECKED.matcher(source);
    while (checked.find()) {
      calls.add(call(checked.group(1), checked.group(2), checked.group(3)));
    }
    Matcher queried = QUERIED.matcher(source);
    while (queried.find()) {
      calls.add(call("", queried.group(1), queried.group(2)));
    }
    return calls;
  }

  private static Call call(String symbol, String handle, String arguments) {
    List<String> list = Arrays.stream(arguments.split(",")).map(String::strip).toList();
    return new Call(symbol, handle, list.getFirst(), list.subList(1, list.size()));
  }

  /** The constant that belongs to a field: batchMeanFwd to BATCH_MEAN_FWD. */
  static String constant(String field) {
    return field.replaceAll("([A-Z])", "_$1").toUpperCase(Locale.ROOT);
  }
}
