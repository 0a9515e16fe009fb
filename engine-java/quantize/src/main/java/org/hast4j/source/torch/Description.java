package org.hast4j.source.torch;

import java.lang.foreign.MemorySegment;
import java.util.Collection;
import java.util.stream.Collector;
import java.util.stream.Collectors;
import org.hast4j.source.torch.Pickled.Dict;
import org.hast4j.source.torch.Pickled.Global;
import org.hast4j.source.torch.Pickled.Opaque;
import org.hast4j.source.torch.Pickled.Sequence;
import org.hast4j.source.torch.Pickled.Storage;
import org.hast4j.source.torch.Pickled.Tensor;

/** What is in a file, in a few words that fit on a line whatever is in it. */
public final class Description {
  private static final int MAX_CHARACTERS = 60;
  private static final int MAX_ITEMS = 8;

  private Description() {}

  /** A text without what would disturb a terminal, and not longer than a message can bear. */
  public static String cleaned(String text) {
    String start = text.substring(0, Math.min(text.length(), MAX_CHARACTERS));
    String clean = start.replaceAll("[\\p{Cntrl}\\p{Cs}]", "?");
    return start.length() < text.length() ? clean + ".." : clean;
  }

  static String quoted(Object key) {
    return switch (key) {
      case String text -> "\"" + cleaned(text) + "\"";
      case Number number -> cleaned(number.toString());
      case null, default -> of(key);
    };
  }

  /** The first of some texts and numbers. */
  public static String quoted(Collection<?> keys) {
    String first = keys.stream().limit(MAX_ITEMS).map(Description::quoted).collect(joined());
    int others = keys.size() - MAX_ITEMS;
    return others > 0 ? first + " and " + others + " others" : first;
  }

  /** The kind of a value. */
  static String of(Object value) {
    return switch (value) {
      case null -> "None";
      case Boolean _, Number _ -> "a number";
      case String _ -> "a text";
      case MemorySegment _ -> "bytes";
      case Dict dict -> "a dict of " + dict.entries().size();
      case Sequence sequence -> "a list of " + sequence.items().size();
      case Global global -> cleaned(global.toString());
      case Opaque opaque -> type(opaque);
      case Storage _ -> "a storage";
      case Tensor _ -> "a tensor";
      default -> "an object";
    };
  }

  /** An array of numpy's is made by a function whose first argument is the class. */
  private static String type(Opaque opaque) {
    if (opaque.type() instanceof Global type) {
      boolean byFunction = type.name().equals("_reconstruct");
      Object made = byFunction ? opaque.arguments().item(0) : type;
      return "a " + cleaned((made instanceof Global name ? name : type).toString());
    }
    return "an object";
  }

  /** A value and, where it has names for what it holds, those. */
  static String contents(Object value) {
    Dict dict =
        switch (value) {
          case Dict own -> own;
          case Opaque opaque when opaque.state() instanceof Dict state -> state;
          case Opaque opaque -> opaque.items();
          case null, default -> new Dict();
        };
    String entries =
        dict.entries().entrySet().stream()
            .limit(MAX_ITEMS)
            .map(entry -> quoted(entry.getKey()) + ": " + of(entry.getValue()))
            .collect(joined());
    return entries.isEmpty() ? of(value) : of(value) + " (" + entries + ")";
  }

  private static Collector<CharSequence, ?, String> joined() {
    return Collectors.joining(", ");
  }
}
