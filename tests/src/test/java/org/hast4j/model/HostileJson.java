package org.hast4j.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ContainerNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.hast4j.io.HostileFiles;

/** Models and schemes in JSON as careless and hostile hands write them. */
public final class HostileJson {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Stands for a text that no JSON node writes. */
  private static final String RAW = "@raw@";

  private static final List<String> NUMBERS =
      List.of(
          "-2147483648",
          "-1",
          "0",
          "1",
          "2",
          "3",
          "4",
          "6",
          "8",
          "17",
          "48",
          "256",
          "1024",
          "4096",
          "1048576",
          "1048577",
          "2147483647",
          "2147483648",
          "1e-50",
          "0.5",
          "-1e400",
          "1e400");

  private static final List<String> VALUES =
      List.of(
          "[2, 3]",
          "[1, 1, 1, 1]",
          "[1, 0, 1, 0]",
          "Infinity",
          "\"relu\"",
          "\"silu\"",
          "\"pool\"",
          "\"average\"",
          "\"average_unpadded\"",
          "\"image\"",
          "[\"image\"]",
          "[\"conv\"]",
          "[\"fc\"]",
          "[\"fc\", \"fc\"]",
          "[\"image\", \"conv\"]",
          "\"paper\"",
          "\"inputs\"");

  private static final List<String> FIELDS =
      List.of("groups", "stride", "padding", "dilation", "kernel", "ceiling", "slope", "mean", "x");

  private HostileJson() {}

  /** The text with one to three things changed, and sometimes cut. */
  public static String damaged(String good, Random random) {
    try {
      JsonNode root = JSON.readTree(good);
      String raw = "0";
      for (int i = 0; i <= random.nextInt(3); i++) {
        List<ContainerNode<?>> places = new ArrayList<>();
        collect(root, places);
        if (places.isEmpty()) {
          break;
        }
        raw = change(any(places, random), places, raw, random);
      }
      String text = root.toString().replace('"' + RAW + '"', raw);
      return random.nextInt(10) == 0 ? text.substring(0, random.nextInt(text.length() + 1)) : text;
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void collect(JsonNode node, List<ContainerNode<?>> places) {
    if (node instanceof ContainerNode<?> place && !place.isEmpty()) {
      places.add(place);
    }
    node.forEach(child -> collect(child, places));
  }

  /** Changes one field or element; gives what {@link #RAW} stands for. */
  private static String change(
      ContainerNode<?> place, List<ContainerNode<?>> places, String raw, Random random) {
    int at = random.nextInt(place.size());
    JsonNode borrowed = any(places, random).deepCopy();
    switch (place) {
      case ObjectNode object -> {
        String field = object.propertyStream().skip(at).findFirst().orElseThrow().getKey();
        switch (random.nextInt(6)) {
          case 0 -> object.remove(field);
          case 1 -> {
            object.put(any(FIELDS, random), RAW);
            return any(NUMBERS, random);
          }
          case 2 -> {
            if (borrowed instanceof ObjectNode other) {
              object.setAll(other);
            }
          }
          default -> {
            boolean number = object.get(field).isNumber() && random.nextInt(5) > 0;
            object.put(field, RAW);
            return number ? any(NUMBERS, random) : text(random);
          }
        }
      }
      case ArrayNode array -> {
        switch (random.nextInt(5)) {
          case 0 -> array.remove(at);
          case 1 -> array.insert(at, borrowed);
          case 2 -> array.add(array.get(at).deepCopy());
          case 3 -> array.insert(random.nextInt(array.size()), array.remove(at));
          default -> {
            array.set(at, RAW);
            return text(random);
          }
        }
      }
      default -> throw new IllegalStateException(place.toString());
    }
    return raw;
  }

  private static String text(Random random) {
    return any(any(List.of(NUMBERS, VALUES, HostileFiles.TEXTS), random), random);
  }

  private static <T> T any(List<T> values, Random random) {
    return values.get(random.nextInt(values.size()));
  }
}
