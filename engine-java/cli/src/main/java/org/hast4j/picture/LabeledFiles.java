package org.hast4j.picture;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.hast4j.failure.RefusedException;
import org.hast4j.failure.Remedy;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.UnreadableFileException;

/**
 * Files of pictures and the classes of these.
 *
 * @param labels one for each file
 * @param order what the numbers of the classes were taken from, for people
 */
public record LabeledFiles(List<Path> files, int[] labels, String order) {
  private static final Set<String> EXTENSIONS = Set.of("jpg", "jpeg", "png", "bmp", "gif");
  private static final Pattern NUMBER = Pattern.compile("[+-]?\\d+");

  public LabeledFiles {
    files = List.copyOf(files);
  }

  /**
   * All pictures of a folder and its folders, in the order of their paths, without labels: each has
   * 0.
   *
   * @throws RefusedException if there is none
   */
  public static LabeledFiles unlabeled(Path folder) {
    if (!Files.isDirectory(folder)) {
      throw new RefusedException(
          folder + (Files.exists(folder) ? " is no folder" : ": there is no such folder"));
    }
    List<Path> files = pictures(folder);
    if (files.isEmpty()) {
      throw noPictures(folder);
    }
    return new LabeledFiles(files, new int[files.size()], "no labels");
  }

  /**
   * The pictures of a folder with a folder for each class.
   *
   * @param classes that the network tells apart
   * @param names of them; without, the folders' own, sorted
   * @throws RefusedException if there are no pictures, a folder is of no class, or nothing says
   *     which class is which
   */
  public static LabeledFiles ofFolders(Path folder, int classes, Optional<ClassNames> names) {
    List<Path> folders = folders(folder);
    if (names.isEmpty() && folders.size() != classes) {
      throw new RefusedException(
          "%s has %d folders, the network tells %d classes apart: nothing says which folder is which class"
              .formatted(folder, folders.size(), classes),
          Remedy.NAME_CLASSES);
    }
    List<Path> files = new ArrayList<>();
    List<Integer> labels = new ArrayList<>();
    for (int i = 0; i < folders.size(); i++) {
      Path one = folders.get(i);
      int sorted = i;
      int label =
          names
              .map(known -> known.number(one.getFileName().toString(), one.toString()))
              .orElse(sorted);
      for (Path file : pictures(one)) {
        files.add(file);
        labels.add(label);
      }
    }
    if (files.isEmpty()) {
      throw noPictures(folder);
    }
    return of(files, labels, names.map(ClassNames::origin).orElse("its folders, sorted"));
  }

  /**
   * The pictures that a text file lists, one a line with its class, a number from 0 or a name,
   * behind it. Their paths begin at the list's folder, or at a folder beside it whose name the
   * list's begins with.
   *
   * @param classes that the network tells apart
   * @param names of them, for a list that does not say numbers
   * @throws RefusedException naming the line of a class that there is not, or of no file
   * @throws CorruptFileException if it is no such list
   */
  public static LabeledFiles ofList(Path list, int classes, Optional<ClassNames> names) {
    List<Path> files = new ArrayList<>();
    List<Integer> labels = new ArrayList<>();
    Optional<Path> base = Optional.empty();
    boolean named = false;
    int number = 0;
    for (String line : ClassNames.lines(list)) {
      number++;
      String text = line.strip();
      if (text.isEmpty() || text.startsWith("#")) {
        continue;
      }
      String where = "line %d of %s".formatted(number, list);
      int gap = gap(text);
      if (gap < 0) {
        throw new CorruptFileException(
            list, "line %d is no path with a class behind it: '%s'".formatted(number, shown(text)));
      }
      Path file = path(text.substring(0, gap).strip(), where);
      if (base.isEmpty()) {
        base = Optional.of(base(list, file, where));
      }
      String name = text.substring(gap + 1);
      boolean isNumber = NUMBER.matcher(name).matches();
      named |= !isNumber;
      labels.add(isNumber ? label(name, classes, where) : label(name, names, where));
      Path found = base.get().resolve(file);
      if (!Files.isRegularFile(found)) {
        throw new RefusedException("%s: there is no file %s".formatted(where, found));
      }
      files.add(found);
    }
    if (files.isEmpty()) {
      throw new RefusedException(list + " lists no pictures");
    }
    return of(
        files, labels, named ? names.map(ClassNames::origin).orElseThrow() : "the list's numbers");
  }

  private static LabeledFiles of(List<Path> files, List<Integer> labels, String order) {
    return new LabeledFiles(files, labels.stream().mapToInt(label -> label).toArray(), order);
  }

  /** Place of the last white space, or -1. */
  private static int gap(String text) {
    int at = text.length() - 1;
    while (at >= 0 && !Character.isWhitespace(text.charAt(at))) {
      at--;
    }
    return at;
  }

  private static Path path(String text, String where) {
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new RefusedException("%s: '%s' is no path".formatted(where, shown(text)), e);
    }
  }

  /** The folder in which the first file of a list is. */
  private static Path base(Path list, Path first, String where) {
    Path folder = list.toAbsolutePath().getParent();
    String name = list.getFileName().toString();
    List<Path> bases = new ArrayList<>(List.of(folder));
    folders(folder).stream()
        .filter(beside -> name.startsWith(beside.getFileName().toString()))
        .sorted(Comparator.reverseOrder())
        .forEach(bases::add);
    return bases.stream()
        .filter(base -> Files.isRegularFile(base.resolve(first)))
        .findFirst()
        .orElseThrow(
            () ->
                new RefusedException(
                    "%s: there is no file %s in %s".formatted(where, first, bases)));
  }

  private static int label(String number, int classes, String where) {
    try {
      int label = Integer.parseInt(number);
      if (label >= 0 && label < classes) {
        return label;
      }
    } catch (NumberFormatException e) {
      // A number too large is out of range like any other.
    }
    throw new RefusedException(
        "%s: class %s is none of the network's, 0 to %d".formatted(where, number, classes - 1));
  }

  private static int label(String name, Optional<ClassNames> names, String where) {
    return names
        .orElseThrow(
            () ->
                new RefusedException(
                    "%s: '%s' is no number of a class, and nothing says which class is called so"
                        .formatted(where, shown(name)),
                    Remedy.NAME_CLASSES))
        .number(name, where);
  }

  private static String shown(String text) {
    return text.length() > 80 ? text.substring(0, 80) + ".." : text;
  }

  private static RefusedException noPictures(Path folder) {
    return new RefusedException(
        "%s holds no images (files named %s)"
            .formatted(folder, EXTENSIONS.stream().sorted().toList()));
  }

  private static List<Path> folders(Path folder) {
    try (Stream<Path> children = Files.list(folder)) {
      return children
          .filter(Files::isDirectory)
          .filter(child -> !child.getFileName().toString().startsWith("."))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new UnreadableFileException(folder, e);
    }
  }

  private static List<Path> pictures(Path folder) {
    try (Stream<Path> all = Files.walk(folder)) {
      return all.filter(LabeledFiles::isPicture).sorted().toList();
    } catch (IOException e) {
      throw new UnreadableFileException(folder, e);
    }
  }

  private static boolean isPicture(Path file) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    return EXTENSIONS.contains(name.substring(name.lastIndexOf('.') + 1))
        && Files.isRegularFile(file);
  }
}
