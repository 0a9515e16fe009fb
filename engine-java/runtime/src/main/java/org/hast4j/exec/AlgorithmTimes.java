package org.hast4j.exec;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import org.hast4j.io.AtomicFile;
import org.hast4j.io.Json;

/**
 * Measured times of methods, kept in a file from run to run. They belong to an environment: device,
 * driver, libraries, precision. The file is JSON: by environment, by product, by method,
 * milliseconds, or null for a method that refuses the product. A file that cannot be read or
 * written costs time, not results: that is reported once, and what is missing measured again.
 */
final class AlgorithmTimes {
  private static final int ENVIRONMENTS_KEPT = 16;

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
    Map<String, Object> all = read();
    adopt(all);
    // The last one written stands at the end, so the first are the oldest.
    all.remove(environment);
    Iterator<String> oldest = all.keySet().iterator();
    for (int excess = all.size() - ENVIRONMENTS_KEPT + 1; excess > 0; excess--) {
      oldest.next();
      oldest.remove();
    }
    Map<String, Object> own = new LinkedHashMap<>();
    times.forEach(
        (product, algorithms) -> {
          Map<String, Object> entry = new LinkedHashMap<>();
          algorithms.forEach(
              (algorithm, time) -> entry.put(algorithm, Double.isInfinite(time) ? null : time));
          own.put(product, entry);
        });
    all.put(environment, own);
    try {
      Files.createDirectories(file.getParent());
      AtomicFile.write(file, Json.text(all, true).getBytes(StandardCharsets.UTF_8));
    } catch (IOException | UncheckedIOException e) {
      reportOnce("the times of methods are not kept and will be measured again: " + e.getMessage());
    }
  }

  @SuppressWarnings("unchecked") // The names of an object's fields are texts.
  private Map<String, Object> read() {
    try {
      if (Json.parse(Files.readString(file)) instanceof Map<?, ?> object
          && object.values().stream().allMatch(AlgorithmTimes::valid)) {
        return (Map<String, Object>) object;
      }
      corrupt("it does not hold times of methods");
    } catch (NoSuchFileException e) {
      // The first run.
    } catch (JsonProcessingException e) {
      corrupt(e.getOriginalMessage());
    } catch (IOException e) {
      corrupt(e.toString());
    }
    return new LinkedHashMap<>();
  }

  private static boolean valid(Object products) {
    return products instanceof Map<?, ?> all
        && all.values().stream()
            .allMatch(
                algorithms ->
                    algorithms instanceof Map<?, ?> known
                        && known.values().stream().allMatch(AlgorithmTimes::isTime));
  }

  private static boolean isTime(Object value) {
    return value == null || value instanceof Number number && number.doubleValue() >= 0;
  }

  /** Takes over what this does not know yet. */
  private void adopt(Map<String, Object> all) {
    if (all.get(environment) instanceof Map<?, ?> own) {
      own.forEach(
          (product, known) -> times.putIfAbsent((String) product, milliseconds((Map<?, ?>) known)));
    }
  }

  private static Map<String, Double> milliseconds(Map<?, ?> algorithms) {
    Map<String, Double> milliseconds = new LinkedHashMap<>();
    algorithms.forEach(
        (algorithm, time) ->
            milliseconds.put(
                (String) algorithm,
                time instanceof Number number ? number.doubleValue() : Double.POSITIVE_INFINITY));
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
