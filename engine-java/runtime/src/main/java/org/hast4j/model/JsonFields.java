package org.hast4j.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.hast4j.failure.RefusedException;

/**
 * The fields of one JSON object, of which nothing is trusted: a field of another type, a missing
 * and an unknown one are errors that say where.
 */
final class JsonFields {
  /** A bound on what a file may ask for; the largest network in use has 1 MB. */
  private static final int MAX_CHARACTERS = 1 << 25;

  private static final ObjectMapper JSON =
      new ObjectMapper(
              JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private final ObjectNode object;
  private final String place;
  private final Set<String> known = new HashSet<>();

  private JsonFields(JsonNode node, String place) {
    this.place = place;
    if (!(node instanceof ObjectNode found)) {
      throw new RefusedException(place + " is no JSON object");
    }
    object = found;
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
      return new JsonFields(JSON.readTree(text), place);
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

  static ObjectNode object() {
    return JSON.createObjectNode();
  }

  /**
   * Compact JSON, or lines for people to read.
   *
   * @param indented whether on lines of its own
   */
  static String text(ObjectNode object, boolean indented) {
    return indented ? object.toPrettyString() : object.toString();
  }

  private RefusedException wrong(String field, String needed) {
    return new RefusedException(
        "\"%s\" is %s, not %s".formatted(field, shown(object.get(field)), needed));
  }

  private static String shown(JsonNode value) {
    String text = value.toString();
    return text.length() > 60 ? text.substring(0, 60) + ".." : text;
  }

  boolean has(String field) {
    known.add(field);
    return object.has(field);
  }

  private JsonNode get(String field) {
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
    object
        .properties()
        .forEach(
            entry -> {
              known.add(entry.getKey());
              all.put(
                  entry.getKey(), new JsonFields(entry.getValue(), Layer.quoted(entry.getKey())));
            });
    return all;
  }

  List<JsonFields> list(String field) {
    List<JsonFields> list = new ArrayList<>();
    for (JsonNode element : array(field)) {
      String name =
          element.path("name").isTextual() ? " " + Layer.quoted(element.get("name").asText()) : "";
      list.add(new JsonFields(element, "%s[%d]%s".formatted(field, list.size(), name)));
    }
    return list;
  }

  private JsonNode array(String field) {
    JsonNode value = get(field);
    if (!value.isArray()) {
      throw wrong(field, "a list");
    }
    return value;
  }

  String text(String field) {
    JsonNode value = get(field);
    if (!value.isTextual()) {
      throw wrong(field, "a text");
    }
    return value.asText();
  }

  List<String> texts(String field) {
    List<String> texts = new ArrayList<>();
    for (JsonNode element : array(field)) {
      if (!element.isTextual()) {
        throw wrong(field, "a list of texts");
      }
      texts.add(element.asText());
    }
    return texts;
  }

  boolean flag(String field, boolean otherwise) {
    if (!has(field)) {
      return otherwise;
    }
    if (!object.get(field).isBoolean()) {
      throw wrong(field, "true or false");
    }
    return object.get(field).booleanValue();
  }

  int integer(String field) {
    JsonNode value = get(field);
    if (!value.isIntegralNumber() || !value.canConvertToInt()) {
      throw wrong(field, "a whole number");
    }
    return value.intValue();
  }

  int integer(String field, int otherwise) {
    return has(field) ? integer(field) : otherwise;
  }

  float number(String field) {
    JsonNode value = get(field);
    if (!value.isNumber()) {
      throw wrong(field, "a number");
    }
    return value.floatValue();
  }

  float[] numbers(String field) {
    JsonNode array = array(field);
    float[] numbers = new float[array.size()];
    for (int i = 0; i < numbers.length; i++) {
      if (!array.get(i).isNumber()) {
        throw wrong(field, "a list of numbers");
      }
      numbers[i] = array.get(i).floatValue();
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
    JsonNode value = get(field);
    for (int i = 0; i < count; i++) {
      JsonNode element = value.isArray() ? value.path(i) : value;
      if (!element.isIntegralNumber()
          || !element.canConvertToInt()
          || value.isArray() && value.size() != count) {
        throw wrong(field, "a whole number or a list of " + count);
      }
      integers[i] = element.intValue();
    }
    return integers;
  }

  /** Refuses fields that nobody asked for. */
  private void end() {
    for (Map.Entry<String, JsonNode> entry : object.properties()) {
      if (!known.contains(entry.getKey())) {
        throw new RefusedException(
            "unknown field %s; known here are %s"
                .formatted(Layer.quoted(entry.getKey()), known.stream().sorted().toList()));
      }
    }
  }
}
