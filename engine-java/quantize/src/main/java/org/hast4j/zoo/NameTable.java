package org.hast4j.zoo;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.io.Json;
import org.hast4j.model.Normalization;
import org.hast4j.tensor.Shape;

/**
 * One way in which state dicts of a family are named, as data: resources names/FAMILY.json hold a
 * list of these. Names of tensors that some library or repository gives become those that the
 * family's builder knows.
 *
 * @param source who names them so, for people
 * @param needs patterns that each must match some name
 * @param lacks patterns that must match no name
 * @param shapes what some tensors must look like, by name; -1 is any size
 * @param numbers numbers to give to what comes in parts, before the rules
 * @param rules applied to each name, one after the other
 * @param training patterns of the tensors of parts that are for training only
 * @param settings what the naming implies beside the names, by the words of {@link Assumptions}
 * @param normalization that networks named so are trained with, if it is known
 */
record NameTable(
    String source,
    List<Pattern> needs,
    List<Pattern> lacks,
    Map<String, List<?>> shapes,
    List<Numbering> numbers,
    List<Rule> rules,
    List<Pattern> training,
    Map<String, String> settings,
    Optional<Normalization> normalization) {
  private static final Pattern GROUP = Pattern.compile("\\$(\\d)|\\$\\{(\\d)([+-]\\d+)\\}");

  /**
   * Numbers parts in the order of the numbers in their names: stage1.unit1, stage1.unit2,
   * stage2.unit1 become 1, 2, 3.
   *
   * @param part a part's beginning
   * @param to what it becomes, with # for the number
   * @param from the first number
   */
  record Numbering(Pattern part, String to, int from) {}

  /**
   * A rule for names.
   *
   * @param name what it is about
   * @param to what replaces it: $1 is the first group, ${1-1} its number less 1
   * @param where the rule applies only if the state has a tensor of this name, a template too
   * @param unless it applies only if the state has none of this name
   */
  record Rule(Pattern name, String to, Optional<String> where, Optional<String> unless) {}

  /** The tables of a family, in the order in which they are tried. */
  static List<NameTable> of(String family) {
    String resource = "/org/hast4j/names/" + family + ".json";
    try (InputStream in = NameTable.class.getResourceAsStream(resource)) {
      String text =
          new String(Objects.requireNonNull(in, resource).readAllBytes(), StandardCharsets.UTF_8);
      return ((List<?>) Json.parse(text))
          .stream().map(table -> new Fields((Map<?, ?>) table).table()).toList();
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(resource + " is damaged", e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A table's JSON object. It is ours, and checked by the tests that read every table. */
  private record Fields(Map<?, ?> json) {
    NameTable table() {
      return new NameTable(
          (String) json.get("source"),
          patterns("needs"),
          patterns("lacks"),
          shapes(),
          list("numbers").stream()
              .map(Fields::of)
              .map(n -> new Numbering(n.pattern("part"), n.text("to"), n.from()))
              .toList(),
          list("rules").stream().map(Fields::rule).toList(),
          patterns("training"),
          texts("settings"),
          json.containsKey("mean")
              ? Optional.of(new Normalization(numbers("mean"), numbers("std")))
              : Optional.empty());
    }

    private float[] numbers(String field) {
      List<?> list = list(field);
      float[] numbers = new float[list.size()];
      for (int i = 0; i < numbers.length; i++) {
        numbers[i] = ((Number) list.get(i)).floatValue();
      }
      return numbers;
    }

    private static Fields of(Object json) {
      return new Fields((Map<?, ?>) json);
    }

    /** A rule is a pair of texts, or an object where it has conditions. */
    private static Rule rule(Object json) {
      if (json instanceof List<?> pair) {
        Pattern name = Pattern.compile((String) pair.getFirst());
        return new Rule(name, (String) pair.get(1), Optional.empty(), Optional.empty());
      }
      Fields rule = of(json);
      return new Rule(
          rule.pattern("name"),
          rule.text("to"),
          Optional.ofNullable(rule.text("where")),
          Optional.ofNullable(rule.text("unless")));
    }

    private String text(String field) {
      return (String) json.get(field);
    }

    private int from() {
      return json.get("from") instanceof Integer from ? from : 0;
    }

    private Pattern pattern(String field) {
      return Pattern.compile(text(field));
    }

    private List<?> list(String field) {
      return json.get(field) instanceof List<?> list ? list : List.of();
    }

    private List<Pattern> patterns(String field) {
      return list(field).stream().map(text -> Pattern.compile((String) text)).toList();
    }

    private Map<String, String> texts(String field) {
      Map<String, String> texts = new LinkedHashMap<>();
      if (json.get(field) instanceof Map<?, ?> map) {
        map.forEach((word, value) -> texts.put((String) word, value.toString()));
      }
      return texts;
    }

    private Map<String, List<?>> shapes() {
      Map<String, List<?>> shapes = new LinkedHashMap<>();
      if (json.get("shapes") instanceof Map<?, ?> map) {
        map.forEach((name, sizes) -> shapes.put((String) name, (List<?>) sizes));
      }
      return shapes;
    }
  }

  /** Whether a file's tensors are named so. */
  boolean fits(Map<String, Shape> tensors) {
    return missing(tensors.keySet()).isEmpty()
        && lacks.stream().noneMatch(pattern -> any(pattern, tensors.keySet()))
        && shapes.entrySet().stream().allMatch(e -> fits(tensors.get(e.getKey()), e.getValue()));
  }

  /** Which of the needed patterns match no name. */
  List<Pattern> missing(Collection<String> names) {
    return needs.stream().filter(pattern -> !any(pattern, names)).toList();
  }

  private static boolean any(Pattern pattern, Collection<String> names) {
    return names.stream().anyMatch(name -> pattern.matcher(name).matches());
  }

  private static boolean fits(Shape shape, List<?> sizes) {
    if (shape == null || shape.rank() != sizes.size()) {
      return false;
    }
    for (int i = 0; i < sizes.size(); i++) {
      long size = ((Number) sizes.get(i)).longValue();
      if (size >= 0 && size != shape.size(i)) {
        return false;
      }
    }
    return true;
  }

  /** Those of a file's names that are of parts for training only. */
  List<String> trainingOnly(Collection<String> names) {
    return names.stream()
        .filter(name -> training.stream().anyMatch(p -> p.matcher(name).matches()))
        .toList();
  }

  /** The family's name of each of a file's tensors. */
  Map<String, String> renamed(Collection<String> names) {
    Map<String, String> now = new LinkedHashMap<>();
    names.forEach(name -> now.put(name, name));
    for (Numbering numbering : numbers) {
      number(numbering, now);
    }
    for (Rule rule : rules) {
      Collection<String> before = new TreeSet<>(now.values());
      now.replaceAll((_, name) -> apply(rule, name, before));
    }
    return now;
  }

  private static void number(Numbering numbering, Map<String, String> names) {
    Map<String, List<Integer>> parts = new LinkedHashMap<>();
    for (String name : names.values()) {
      Matcher matcher = numbering.part.matcher(name);
      if (matcher.lookingAt()) {
        parts.put(matcher.group(), groups(matcher));
      }
    }
    List<String> sorted = new ArrayList<>(parts.keySet());
    sorted.sort(Comparator.comparing(parts::get, NameTable::compare));
    names.replaceAll(
        (_, name) -> {
          Matcher matcher = numbering.part.matcher(name);
          if (!matcher.lookingAt()) {
            return name;
          }
          int number = sorted.indexOf(matcher.group()) + numbering.from;
          return numbering.to.replace("#", Integer.toString(number))
              + name.substring(matcher.end());
        });
  }

  private static List<Integer> groups(MatchResult match) {
    List<Integer> groups = new ArrayList<>();
    for (int i = 1; i <= match.groupCount(); i++) {
      // A part that may have a number and has none is the last.
      String number = match.group(i);
      groups.add(number == null ? Integer.MAX_VALUE : Integer.valueOf(number));
    }
    return groups;
  }

  private static int compare(List<Integer> a, List<Integer> b) {
    for (int i = 0; i < Math.min(a.size(), b.size()); i++) {
      int order = Integer.compare(a.get(i), b.get(i));
      if (order != 0) {
        return order;
      }
    }
    return Integer.compare(a.size(), b.size());
  }

  private static String apply(Rule rule, String name, Collection<String> all) {
    Matcher matcher = rule.name.matcher(name);
    if (!matcher.find()
        || !rule.where.map(template -> all.contains(filled(template, matcher))).orElse(true)
        || rule.unless.map(template -> all.contains(filled(template, matcher))).orElse(false)) {
      return name;
    }
    return name.substring(0, matcher.start())
        + filled(rule.to, matcher)
        + name.substring(matcher.end());
  }

  private static String filled(String template, MatchResult match) {
    return GROUP
        .matcher(template)
        .replaceAll(
            found -> {
              if (found.group(1) != null) {
                String text = match.group(Integer.parseInt(found.group(1)));
                return text == null ? "" : Matcher.quoteReplacement(text);
              }
              int number = Integer.parseInt(match.group(Integer.parseInt(found.group(2))));
              return Integer.toString(number + Integer.parseInt(found.group(3)));
            });
  }
}
