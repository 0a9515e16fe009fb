package org.hast4j.picture;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.hast4j.failure.RefusedException;
import org.hast4j.failure.Remedy;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.UnreadableFileException;

/** What the classes of a network are called, and so which number one has. */
public final class ClassNames {
  private static final long MAX_BYTES = 1 << 25;

  private final String origin;
  private final Map<String, Integer> numbers = new HashMap<>();
  private final Set<String> ambiguous = new HashSet<>();

  private ClassNames(String origin, List<String> names) {
    this.origin = origin;
    // A whole name counts before the first word of another.
    for (int i = 0; i < names.size(); i++) {
      put(names.get(i).strip(), i);
    }
    Map<String, Integer> whole = Map.copyOf(numbers);
    for (int i = 0; i < names.size(); i++) {
      String word = names.get(i).strip().split("[\\s,]+", 2)[0];
      if (!whole.containsKey(word)) {
        put(word, i);
      }
    }
  }

  private void put(String name, int number) {
    Integer before = numbers.putIfAbsent(name, number);
    if (before != null && before != number) {
      ambiguous.add(name);
    }
  }

  /**
   * Names in the order of the classes.
   *
   * @param origin where they come from, for messages
   */
  public static ClassNames of(String origin, List<String> names) {
    return new ClassNames(origin, names);
  }

  /**
   * Reads a file whose line n is class n - 1: what its folder is called, perhaps with more words
   * behind it.
   *
   * @param classes how many there must be
   * @throws RefusedException if there are more or fewer
   * @throws CorruptFileException if it is no text
   * @throws UnreadableFileException if it cannot be read
   */
  public static ClassNames read(Path file, int classes) {
    List<String> lines = lines(file);
    while (!lines.isEmpty() && lines.getLast().isBlank()) {
      lines = lines.subList(0, lines.size() - 1);
    }
    if (lines.size() != classes) {
      throw new RefusedException(
          "%s names %d classes, the network tells %d apart".formatted(file, lines.size(), classes));
    }
    for (int i = 0; i < lines.size(); i++) {
      if (lines.get(i).isBlank()) {
        throw new CorruptFileException(file, "line %d names no class".formatted(i + 1));
      }
    }
    return new ClassNames(file.toString(), lines);
  }

  /** The lines of a text file. */
  static List<String> lines(Path file) {
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw new CorruptFileException(
            file, "it is larger than %d bytes, this is hardly a list".formatted(MAX_BYTES));
      }
      return Files.readAllLines(file);
    } catch (CharacterCodingException e) {
      throw new CorruptFileException(file, "it is no text in UTF-8", e);
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    }
  }

  /** Where they come from. */
  String origin() {
    return origin;
  }

  /**
   * The number of a class.
   *
   * @param where it is asked for, for messages
   * @throws RefusedException if there is none of the name, or more than one
   */
  int number(String name, String where) {
    if (ambiguous.contains(name)) {
      throw new RefusedException(
          "%s names more than one class '%s'".formatted(origin, name), Remedy.NAME_CLASSES);
    }
    Integer number = numbers.get(name);
    if (number == null) {
      throw new RefusedException(
          "%s: '%s' is none of the classes that %s names".formatted(where, name, origin),
          Remedy.NAME_CLASSES);
    }
    return number;
  }
}
