package org.hast4j.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.Backend;

/**
 * Turns the harness's JSON into the tables of {@code bench/results}, on the machine that measured.
 *
 * <p>usage: Report RESULT.json COMMIT COMMAND
 */
public final class Report {
  private static final String OWN = ConvolutionPeers.Library.OWN.name();
  private static final String ONEDNN = ConvolutionPeers.Library.ONEDNN.name();

  private final PrintStream out;

  private Report(PrintStream out) {
    this.out = out;
  }

  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 3) {
      System.err.println("usage: Report RESULT.json COMMIT COMMAND");
      System.exit(2);
    }
    JsonNode results = new ObjectMapper().readTree(Path.of(arguments[0]).toFile());
    new Report(new PrintStream(System.out, true, StandardCharsets.UTF_8))
        .write(results, arguments[1], arguments[2]);
  }

  private void write(JsonNode results, String commit, String command) throws IOException {
    Map<String, List<JsonNode>> benchmarks = new LinkedHashMap<>();
    for (JsonNode result : results) {
      String name = result.get("benchmark").asText();
      String type = name.substring(0, name.lastIndexOf('.'));
      benchmarks
          .computeIfAbsent(type.substring(type.lastIndexOf('.') + 1), _ -> new ArrayList<>())
          .add(result);
    }
    out.printf("# %s%n%n", String.join(", ", benchmarks.keySet()));
    machine(results.get(0), commit, command);
    benchmarks.forEach(
        (type, list) -> {
          switch (type) {
            case "ConvolutionPeers" -> convolutions(list);
            case "KernelRoofline", "StepRoofline", "DepthwiseRoofline" -> rooflines(type, list);
            default -> times(type, list);
          }
        });
  }

  private void machine(JsonNode result, String commit, String command) throws IOException {
    out.printf("* date: %s%n", LocalDate.now(ZoneOffset.UTC));
    out.printf("* CPU: %s%n", processor());
    try (OpenDevice device = OpenDevice.open(Backend.CPU, 1)) {
      out.printf("* device: %s%n", device.description());
    }
    out.printf("* Java: %s %s%n", result.get("vmName").asText(), result.get("vmVersion").asText());
    out.printf("* commit: %s%n", commit);
    out.printf("* command: `%s`%n", command);
    out.printf(
        "* %d fork(s), %d x %s warm-up, %d x %s measured%n%n",
        result.get("forks").asInt(),
        result.get("warmupIterations").asInt(),
        result.get("warmupTime").asText(),
        result.get("measurementIterations").asInt(),
        result.get("measurementTime").asText());
  }

  /**
   * The model alone often hides the generation (a virtual machine's "AMD EPYC"), family and model
   * number do not.
   */
  private static String processor() throws IOException {
    Path info = Path.of("/proc/cpuinfo");
    if (!Files.isReadable(info)) {
      return System.getProperty("os.arch");
    }
    Map<String, String> fields = new TreeMap<>();
    for (String line : Files.readAllLines(info)) {
      int colon = line.indexOf(':');
      if (colon > 0) {
        fields.putIfAbsent(line.substring(0, colon).strip(), line.substring(colon + 1).strip());
      }
    }
    return "%s, family %s, model %s, %d processors"
        .formatted(
            fields.get("model name"),
            fields.get("cpu family"),
            fields.get("model"),
            Runtime.getRuntime().availableProcessors());
  }

  /** Own and oneDNN's time side by side, then a whole network's convolutions. */
  private void convolutions(List<JsonNode> results) {
    Map<String, Map<String, Double>> times = new LinkedHashMap<>();
    for (JsonNode result : results) {
      JsonNode parameters = result.get("params");
      times
          .computeIfAbsent(
              String.join(
                  " ",
                  parameters.get("threads").asText(),
                  parameters.get("direction").asText(),
                  parameters.get("shape").asText()),
              _ -> new LinkedHashMap<>())
          .put(parameters.get("library").asText(), score(result));
    }
    Map<String, double[]> sums = new TreeMap<>();
    out.printf("Batch %d; GFLOP/s by the textbook count.%n%n", ResNet20Convolution.BATCH);
    out.println(
        "| threads | direction | convolution | own ms | own GFLOP/s | oneDNN ms | oneDNN GFLOP/s |"
            + " oneDNN / own |");
    out.println("|---|---|---|---|---|---|---|---|");
    times.forEach(
        (key, pair) -> {
          String[] words = key.split(" ");
          ResNet20Convolution shape = ResNet20Convolution.valueOf(words[2]);
          double own = pair.getOrDefault(OWN, Double.NaN);
          double peer = pair.getOrDefault(ONEDNN, Double.NaN);
          double megaflops = shape.flops(ResNet20Convolution.BATCH) / 1e6;
          print(
              "| %s | %s | %s | %.3f | %.0f | %.3f | %.0f | %.2f |%n",
              words[0],
              words[1],
              words[2],
              own,
              megaflops / own,
              peer,
              megaflops / peer,
              peer / own);
          double[] sum = sums.computeIfAbsent(words[0] + " " + words[1], _ -> new double[3]);
          sum[0] += shape.uses * own;
          sum[1] += shape.uses * peer;
          sum[2]++;
        });
    if (sums.values().stream().anyMatch(sum -> sum[2] == ResNet20Convolution.values().length)) {
      out.printf("%nAll convolutions of ResNet-20:%n%n");
      out.println("| threads | direction | own ms | oneDNN ms | oneDNN / own |");
      out.println("|---|---|---|---|---|");
      sums.forEach(
          (key, sum) -> {
            if (sum[2] == ResNet20Convolution.values().length) {
              String[] words = key.split(" ");
              print(
                  "| %s | %s | %.2f | %.2f | %.2f |%n",
                  words[0], words[1], sum[0], sum[1], sum[1] / sum[0]);
            }
          });
    }
    out.println();
  }

  private void rooflines(String type, List<JsonNode> results) {
    out.printf(
        "%s: GB/s of the bytes a kernel must move, beside a copy that moves as many.%n%n", type);
    out.println("| kernel | shape | threads | MB | ms | GB/s | copy GB/s | of the copy |");
    out.println("|---|---|---|---|---|---|---|---|");
    for (JsonNode result : results) {
      JsonNode parameters = result.get("params");
      double bytes = counter(result, "bytes");
      double rate = bytes / score(result) / 1e6;
      double copy = counter(result, "copyGigabytesPerSecond");
      print(
          "| %s | %s | %s | %.1f | %.3f | %.1f | %.1f | %.0f%% |%n",
          parameters.get("kernel").asText(),
          parameters.path("shape").asText(""),
          parameters.get("threads").asText(),
          bytes / 1e6,
          score(result),
          rate,
          copy,
          100 * rate / copy);
    }
    out.println();
  }

  private void times(String type, List<JsonNode> results) {
    out.printf("| %s | parameters | time | ± | unit | other |%n", type);
    out.println("|---|---|---|---|---|---|");
    for (JsonNode result : results) {
      String name = result.get("benchmark").asText();
      List<String> parameters = new ArrayList<>();
      result
          .path("params")
          .properties()
          .forEach(entry -> parameters.add(entry.getKey() + " " + entry.getValue().asText()));
      List<String> others = new ArrayList<>();
      result
          .path("secondaryMetrics")
          .properties()
          .forEach(
              entry ->
                  others.add(
                      "%s %s"
                          .formatted(
                              entry.getKey(), number(entry.getValue().get("score").asDouble()))));
      JsonNode metric = result.get("primaryMetric");
      print(
          "| %s | %s | %.3f | %.3f | %s | %s |%n",
          name.substring(name.lastIndexOf('.') + 1),
          String.join(", ", parameters),
          metric.get("score").asDouble(),
          metric.get("scoreError").asDouble(),
          metric.get("scoreUnit").asText(),
          String.join(", ", others));
    }
    out.println();
  }

  private static String number(double value) {
    return value == Math.rint(value) ? "%.0f".formatted(value) : "%.3f".formatted(value);
  }

  private static double score(JsonNode result) {
    JsonNode metric = result.get("primaryMetric");
    if (!metric.get("scoreUnit").asText().equals("ms/op")) {
      throw new IllegalArgumentException("run it with -tu ms: " + metric.get("scoreUnit").asText());
    }
    return metric.get("score").asDouble();
  }

  /** Mean over the measurements of an event counter; the harness itself adds them up. */
  private static double counter(JsonNode result, String name) {
    double sum = 0;
    int count = 0;
    for (JsonNode fork : result.get("secondaryMetrics").get(name).get("rawData")) {
      for (JsonNode value : fork) {
        sum += value.asDouble();
        count++;
      }
    }
    return sum / count;
  }

  private void print(String format, Object... arguments) {
    out.printf(Locale.ROOT, format, arguments);
  }
}
