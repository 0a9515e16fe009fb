package org.hast4j.zoo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.StoredTensor;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.nn.Checkpoint;
import org.hast4j.tensor.Shape;

/**
 * A state dict and the structure that its names and shapes stand for.
 *
 * @param model its layers are named as its family's builder names them
 * @param tensors the file's, by the model's names; some may not be the model's
 * @param outside names of those that are not below the network's prefix
 * @param normalization that networks named so are trained with, if that is known
 * @param assumptions all that was taken for granted, for people
 */
record StateDict(
    Model model,
    Map<String, StoredTensor> tensors,
    List<String> outside,
    Optional<Normalization> normalization,
    List<String> assumptions) {
  private static final int MOST_PREFIX = 6;
  private static final List<String> STATISTICS = List.of(".running_mean", ".running_var");
  private static final List<String> PARTS =
      List.of(".running_mean", ".running_var", ".weight", ".bias");

  /** A way to read names. */
  private record Naming(String prefix, Family family, NameTable table) {}

  /**
   * Finds the structure.
   *
   * @throws RefusedException if the names are those of no family, or are and tensors are missing
   */
  static StateDict of(Map<String, StoredTensor> file, Map<String, String> given) {
    Naming naming = naming(file);
    Assumptions assumed = new Assumptions(given, naming.table.settings());
    Map<String, StoredTensor> inside = below(naming.prefix, file);
    List<String> training = naming.table.trainingOnly(inside.keySet());
    if (!training.isEmpty()) {
      assumed.say(
          "%d tensors of parts that are for training only left out, %s the first"
              .formatted(training.size(), training.getFirst()));
      inside.keySet().removeAll(training);
    }
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    Map<String, String> renamed = naming.table.renamed(inside.keySet());
    renamed.forEach(
        (name, known) -> {
          StoredTensor before = tensors.put(known, inside.get(name));
          if (before != null) {
            throw new RefusedException(
                "tensors %s and %s are two names of the same one"
                    .formatted(before.name(), inside.get(name).name()));
          }
        });
    assumed.say(
        "%s, named as in %s%s"
            .formatted(
                naming.family,
                naming.table.source(),
                naming.prefix.isEmpty() ? "" : " below " + naming.prefix));
    Model model = naming.family.model(new State(shapes(tensors)), assumed);
    assumed.checkUsed();
    checkNorms(model, tensors, naming.prefix, renamed);
    List<String> outside =
        file.keySet().stream().filter(name -> !name.startsWith(naming.prefix)).toList();
    return new StateDict(model, tensors, outside, naming.table.normalization(), assumed.lines());
  }

  /**
   * Refuses BatchNorms of which a part is missing, by the names that the file has for the others;
   * one may be without both weight and bias.
   */
  private static void checkNorms(
      Model model, Map<String, StoredTensor> tensors, String prefix, Map<String, String> renamed) {
    for (String norm : model.names(Operator.BatchNorm.class)) {
      boolean affine = tensors.containsKey(norm + ".weight") || tensors.containsKey(norm + ".bias");
      for (String part : affine ? PARTS : STATISTICS) {
        if (!tensors.containsKey(norm + part)) {
          String layer =
              renamed.entrySet().stream()
                  .filter(entry -> entry.getValue().startsWith(norm + "."))
                  .map(entry -> entry.getKey().substring(0, entry.getKey().lastIndexOf('.')))
                  .findFirst()
                  .orElse(norm);
          throw new RefusedException(
              "%s needs tensor %s, which is missing%s"
                  .formatted(
                      model.name(),
                      prefix + layer + part,
                      STATISTICS.contains(part)
                          ? ": without its running statistics a BatchNorm computes nothing"
                          : ""));
        }
      }
    }
  }

  /** Without the counters of BatchNorms, which no computation needs. */
  static Map<String, StoredTensor> withoutCounters(Map<String, StoredTensor> file) {
    Map<String, StoredTensor> tensors = new LinkedHashMap<>(file);
    tensors.keySet().removeIf(Checkpoint::isCounter);
    return tensors;
  }

  private static Naming naming(Map<String, StoredTensor> file) {
    List<Naming> all = new ArrayList<>();
    for (Family family : Family.values()) {
      family.tables().forEach(table -> all.add(new Naming("", family, table)));
    }
    for (String prefix : prefixes(file.keySet())) {
      Map<String, Shape> shapes = shapes(below(prefix, file));
      for (Naming naming : all) {
        if (naming.table.fits(shapes)) {
          return new Naming(prefix, naming.family, naming.table);
        }
      }
    }
    throw new RefusedException(
        "its tensors are named as in no network that is known (%s): it has %s%s. Describe its structure in a JSON file (docs/format.md), or export it as ONNX, which carries its structure"
            .formatted(
                Arrays.stream(Family.values())
                    .map(Family::toString)
                    .collect(Collectors.joining(", ")),
                new State(shapes(file)).found(),
                nearest(all, file.keySet())));
  }

  /** What the nearest naming misses, for the message. */
  private static String nearest(List<Naming> all, Set<String> names) {
    for (String prefix : prefixes(names)) {
      List<String> inside =
          names.stream()
              .filter(name -> name.startsWith(prefix))
              .map(name -> name.substring(prefix.length()))
              .toList();
      for (Naming naming : all) {
        List<Pattern> missing = naming.table.missing(inside);
        if (missing.size() == 1
            && naming.table.needs().size() > 1
            && naming.table.shapes().isEmpty()) {
          return "; it is nearest to %s named as in %s, but has no tensor %s"
              .formatted(
                  naming.family,
                  naming.table.source(),
                  missing.getFirst().pattern().replace("\\", ""));
        }
      }
    }
    return "";
  }

  /**
   * What may stand before all names of the network, shortest first: beginnings, up to a dot, of at
   * least half of the names.
   */
  static List<String> prefixes(Set<String> names) {
    List<String> prefixes = new ArrayList<>(List.of(""));
    Set<String> longer = new LinkedHashSet<>(prefixes);
    for (int depth = 0; depth < MOST_PREFIX && !longer.isEmpty(); depth++) {
      Map<String, Integer> counts = new LinkedHashMap<>();
      for (String name : names) {
        for (String prefix : longer) {
          int dot = name.startsWith(prefix) ? name.indexOf('.', prefix.length()) : -1;
          if (dot >= 0) {
            counts.merge(name.substring(0, dot + 1), 1, Integer::sum);
          }
        }
      }
      counts.values().removeIf(count -> 2 * count < names.size());
      longer = counts.keySet();
      prefixes.addAll(longer);
    }
    return prefixes;
  }

  static Map<String, StoredTensor> below(String prefix, Map<String, StoredTensor> file) {
    Map<String, StoredTensor> inside = new LinkedHashMap<>();
    file.forEach(
        (name, tensor) -> {
          if (name.startsWith(prefix)) {
            inside.put(name.substring(prefix.length()), tensor);
          }
        });
    return inside;
  }

  private static Map<String, Shape> shapes(Map<String, StoredTensor> tensors) {
    Map<String, Shape> shapes = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    return shapes;
  }
}
