package org.hast4j.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.Json;

/**
 * The fields of one JSON object, of which nothing is trusted: a field of another type, a missing
 * and an unknown one are errors that say where.
 */
final class JsonFields {
  /** A bound on what a file may ask for; the largest network in use has 1 MB. */
  private static final int MAX_CHARACTERS = 1 << 25;

  private final Map<String, Object> object;
  private final String place;
  private final Set<String> known = new HashSet<>();

  @SuppressWarnings("unchecked") // The names of an object's fields are texts.
  private JsonFields(Object value, String place) {
    this.place = place;
    if (!(value instanceof Map<?, ?> found)) {
      throw new RefusedException(place + " is no JSON object");
    }
    object = (Map<String, Object>) found;
  }

  /**
   * Makes something of the fields.
   *
   * @throws RefusedException with this place in front, also where a field is left over
   */
  <T> T as(Function<JsonFields, T> maker) {
    try {
      T made = maker.apply(this);
      end();
      return made;
    } catch (RefusedException e) {
      throw new RefusedException(place + ": " + e.getMessage(), e);
    }
  }

  /**
   * Parses a text that is one object.
   *
   * @param place what messages call it
   * @throws RefusedException if it is not
   */
  static JsonFields parse(String text, String place) {
    if (text.length() > MAX_CHARACTERS) {
      throw new RefusedException(
          "%s has %d characters, at most %d are read"
              .formatted(place, text.length(), MAX_CHARACTERS));
    }
    try {
      return new JsonFields(Json.parse(text), place);
    } catch (JsonProcessingException e) {
      // Where the depth is bounded, the parser knows no place.
      String where =
          Optional.ofNullable(e.getLocation())
              .map(at -> " (line %d, column %d)".formatted(at.getLineNr(), at.getColumnNr()))
              .orElse("");
      throw new RefusedException(
          "%s is not valid JSON: %s%s".formatted(place, e.getOriginalMessage(), where), e);
    }
  }

  private RefusedException wrong(String field, String needed) {
    return new RefusedException(
        "\"%s\" is %s, not %s".formatted(field, shown(object.get(field)), needed));
  }

  private static String shown(Object value) {
    String text = Json.text(value, false);
    return text.length() > 60 ? text.substring(0, 60) + ".." : text;
  }

  boolean has(String field) {
    known.add(field);
    return object.containsKey(field);
  }

  private Object get(String field) {
    if (!has(field)) {
      throw new RefusedException("it lacks \"" + field + "\"");
    }
    return object.get(field);
  }

  JsonFields fields(String field) {
    return new JsonFields(get(field), field);
  }

  /** Objects by field name, of an object whose names are free. */
  Map<String, JsonFields> all() {
    Map<String, JsonFields> all = new LinkedHashMap<>();
    object.forEach(
        (name, value) -> {
          known.add(name);
          all.put(name, new JsonFields(value, Layer.quoted(name)));
        });
    return all;
  }

  List<JsonFields> list(String field) {
    List<JsonFields> list = new ArrayList<>();
    for (Object element : array(field)) {
      String name =
          element instanceof Map<?, ?> named && named.get("name") instanceof String text
              ? " " + Layer.quoted(text)
              : "";
      list.add(new JsonFields(element, field + "[" + list.size() + "]" + name));
    }
    return list;
  }

  private List<?> array(String field) {
    if (get(field) instanceof List<?> list) {
      return list;
    }
    throw wrong(field, "a list");
  }

  String text(String field) {
    if (get(field) instanceof String text) {
      return text;
    }
    throw wrong(field, "a text");
  }

  /** A text, or a whole number as text. */
  String scalar(String field) {
    return switch (get(field)) {
      case String text -> text;
      case Integer number -> number.toString();
      case null, default -> throw wrong(field, "a whole number or a text");
    };
  }

  List<String> texts(String field) {
    List<String> texts = new ArrayList<>();
    for (Object element : array(field)) {
      if (!(element instanceof String text)) {
        throw wrong(field, "a list of texts");
      }
      texts.add(text);
    }
    return texts;
  }

  boolean flag(String field, boolean otherwise) {
    if (!has(field)) {
      return otherwise;
    }
    if (object.get(field) instanceof Boolean flag) {
      return flag;
    }
    throw wrong(field, "true or false");
  }

  int integer(String field) {
    if (get(field) instanceof Integer value) {
      return value;
    }
    throw wrong(field, "a whole number");
  }

  int integer(String field, int otherwise) {
    return has(field) ? integer(field) : otherwise;
  }

  float number(String field) {
    if (get(field) instanceof Number value) {
      return value.floatValue();
    }
    throw wrong(field, "a number");
  }

  float[] numbers(String field) {
    List<?> array = array(field);
    float[] numbers = new float[array.size()];
    for (int i = 0; i < numbers.length; i++) {
      if (!(array.get(i) instanceof Number number)) {
        throw wrong(field, "a list of numbers");
      }
      numbers[i] = number.floatValue();
    }
    return numbers;
  }

  /**
   * So many whole numbers, from a list of them or from one number that stands for all.
   *
   * @param otherwise that number where the field is not there; empty if it must be
   */
  int[] integers(String field, int count, Optional<Integer> otherwise) {
    int[] integers = new int[count];
    if (!has(field) && otherwise.isPresent()) {
      Arrays.fill(integers, otherwise.get());
      return integers;
    }
    Object value = get(field);
    List<?> elements = value instanceof List<?> list ? list : Collections.nCopies(count, value);
    for (int i = 0; i < count; i++) {
      if (elements.size() != count || !(elements.get(i) instanceof Integer number)) {
        throw wrong(field, "a whole number or a list of " + count);
      }
      integers[i] = number;
    }
    return integers;
  }

  /** Refuses fields that nobody asked for. */
  private void end() {
    for (String field : object.keySet()) {
      if (!known.contains(field)) {
        throw new RefusedException(
            "unknown field %s; known here are %s"
                .formatted(Layer.quoted(field), known.stream().sorted().toList()));
      }
    }
  }
}
