package org.hast4j.exec;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.hast4j.io.AtomicFile;

/**
 * Measured times of methods, kept in a file from run to run. They belong to an environment: device,
 * driver, libraries, precision. The file is JSON: by environment, by product, by method,
 * milliseconds, or null for a method that refuses the product. A file that cannot be read or
 * written costs time, not results: that is reported once, and what is missing measured again.
 */
final class AlgorithmTimes {
  private static final int ENVIRONMENTS_KEPT = 16;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path file;
  private final String environment;
  private final Consumer<String> report;
  private final Map<String, Map<String, Double>> times = new LinkedHashMap<>();
  private boolean reported;
  private boolean changed;

  /**
   * The times in a file.
   *
   * @param file need not exist
   * @param report takes messages for people
   */
  AlgorithmTimes(Path file, String environment, Consumer<String> report) {
    this.file = file;
    this.environment = environment;
    this.report = report;
  }

  /**
   * Milliseconds by method, infinite for one that refuses the product; empty where nothing is
   * known.
   */
  Map<String, Double> of(String product) {
    if (!times.containsKey(product)) {
      // Another device or process may have measured it meanwhile, and all should agree.
      adopt(read());
    }
    return times.getOrDefault(product, Map.of());
  }

  void put(String product, Map<String, Double> milliseconds) {
    times.put(product, milliseconds);
    changed = true;
  }

  /** Writes what is new. Of two processes at the same moment one may lose times of its own. */
  void save() {
    if (!changed) {
      return;
    }
    changed = false;
    ObjectNode all = read();
    adopt(all);
    // The last one written stands at the end, so the first are the oldest.
    all.remove(environment);
    Iterator<String> oldest = all.fieldNames();
    for (int excess = all.size() - ENVIRONMENTS_KEPT + 1; excess > 0; excess--) {
      oldest.next();
      oldest.remove();
    }
    ObjectNode own = all.putObject(environment);
    times.forEach(
        (product, methods) -> {
          ObjectNode entry = own.putObject(product);
          methods.forEach(
              (method, time) -> entry.put(method, Double.isInfinite(time) ? null : time));
        });
    try {
      Files.createDirectories(file.getParent());
      AtomicFile.write(file, JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(all));
    } catch (IOException | UncheckedIOException e) {
      reportOnce("the times of methods are not kept and will be measured again: " + e.getMessage());
    }
  }

  private ObjectNode read() {
    try {
      JsonNode root = JSON.readTree(Files.readAllBytes(file));
      if (root instanceof ObjectNode object && object.valueStream().allMatch(this::valid)) {
        return object;
      }
      corrupt("it does not hold times of methods");
    } catch (NoSuchFileException e) {
      // The first run.
    } catch (JsonProcessingException e) {
      corrupt(e.getOriginalMessage());
    } catch (IOException e) {
      corrupt(e.toString());
    }
    return JSON.createObjectNode();
  }

  private boolean valid(JsonNode products) {
    return products.isObject()
        && products
            .valueStream()
            .allMatch(methods -> methods.isObject() && methods.valueStream().allMatch(this::time));
  }

  private boolean time(JsonNode value) {
    return value.isNull() || value.isNumber() && value.doubleValue() >= 0;
  }

  /** Takes over what this does not know yet. */
  private void adopt(ObjectNode all) {
    all.path(environment)
        .propertyStream()
        .forEach(entry -> times.putIfAbsent(entry.getKey(), milliseconds(entry.getValue())));
  }

  private static Map<String, Double> milliseconds(JsonNode methods) {
    Map<String, Double> milliseconds = new LinkedHashMap<>();
    methods
        .propertyStream()
        .forEach(
            method -> {
              JsonNode time = method.getValue();
              milliseconds.put(
                  method.getKey(), time.isNull() ? Double.POSITIVE_INFINITY : time.doubleValue());
            });
    return milliseconds;
  }

  private void corrupt(String reason) {
    reportOnce(
        "%s cannot be read (%s): methods are measured again, and it is replaced"
            .formatted(file, reason));
  }

  private void reportOnce(String message) {
    if (!reported) {
      reported = true;
      report.accept(message);
    }
  }
}
