package org.hast4j.picture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.hast4j.failure.Mendable;
import org.hast4j.failure.RefusedException;
import org.hast4j.failure.Remedy;
import org.hast4j.io.CorruptFileException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which picture is of which class: by folders, by lists, and where nothing says it. */
class LabeledFilesTest {
  private static final Optional<ClassNames> NONE = Optional.empty();
  private static final Optional<ClassNames> NAMES =
      Optional.of(ClassNames.of("a test", List.of("zebra", "hot dog", "crane, bird", "ant")));

  @TempDir private Path folder;

  private Path picture(String name) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, "not looked at");
  }

  private Path list(String... lines) throws IOException {
    return Files.write(folder.resolve("val-labels.txt"), List.of(lines));
  }

  @Test
  void foldersAreClassesInTheirOrder() throws IOException {
    Path b = picture("b/1.png");
    Path a2 = picture("a/2.JPEG");
    Path a1 = picture("a/1.jpg");
    picture(".hidden/1.png");
    LabeledFiles files = LabeledFiles.ofFolders(folder, 2, NONE);
    assertThat(files.files()).containsExactly(a1, a2, b);
    assertThat(files.labels()).containsExactly(0, 0, 1);
    assertThat(files.order()).contains("sorted");
  }

  /** By the whole name, or the first word of it. */
  @Test
  void namesSayWhichFolderIsWhich() throws IOException {
    picture("ant/1.png");
    picture("crane/1.png");
    picture("hot dog/1.png");
    LabeledFiles files = LabeledFiles.ofFolders(folder, 4, NAMES);
    assertThat(files.labels()).containsExactly(3, 2, 1);
    assertThat(files.order()).isEqualTo("a test");
  }

  @Test
  void aSubsetOfTheClassesSaysNothingWithoutNames() throws IOException {
    picture("a/1.png");
    picture("b/1.png");
    for (int classes : new int[] {1, 3, 1000}) {
      assertThatThrownBy(() -> LabeledFiles.ofFolders(folder, classes, NONE))
          .isInstanceOf(RefusedException.class)
          .hasMessageContaining("2 folders")
          .hasMessageContaining(classes + " classes")
          .satisfies(e -> assertThat(Mendable.remedyOf(e)).contains(Remedy.NAME_CLASSES));
    }
  }

  @Test
  void aFolderOfNoClassIsNamed() throws IOException {
    picture("ant/1.png");
    picture("bee/1.png");
    assertThatThrownBy(() -> LabeledFiles.ofFolders(folder, 4, NAMES))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("'bee' is none of the classes that a test names");
  }

  @Test
  void twoClassesOfOneNameAreNotToldApart() throws IOException {
    picture("crane/1.png");
    ClassNames names = ClassNames.of("a test", List.of("crane", "crane", "crane machine"));
    assertThatThrownBy(() -> LabeledFiles.ofFolders(folder, 3, Optional.of(names)))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("more than one class 'crane'");
  }

  @Test
  void emptyFoldersAreRefused() throws IOException {
    Files.createDirectories(folder.resolve("a"));
    assertThatThrownBy(() -> LabeledFiles.ofFolders(folder, 1, NONE))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("holds no images");
  }

  @Test
  void aListSaysClassesByNumberOrName() throws IOException {
    Path one = picture("x y/1.png");
    Path two = picture("2.png");
    Path list = list("# path class", "x y/1.png 3", "", "2.png\tzebra", two + " 1");
    LabeledFiles files = LabeledFiles.ofList(list, 4, NAMES);
    assertThat(files.files()).containsExactly(one, two, two);
    assertThat(files.labels()).containsExactly(3, 0, 1);
    assertThat(LabeledFiles.ofList(list("2.png 0"), 4, NONE).order()).contains("numbers");
  }

  /** Beside the list val-labels.txt there may be the folder val. */
  @Test
  void aListsPicturesMayLieInAFolderOfItsName() throws IOException {
    Path file = picture("val/n01/1.png");
    assertThat(LabeledFiles.ofList(list("n01/1.png 0"), 4, NONE).files()).containsExactly(file);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          a.png 4                 | line 2 of .*val-labels.txt: class 4 is none of the network's, 0 to 3
          a.png -1                | line 2 .*: class -1 is none
          a.png 99999999999999999 | line 2 .*: class 99999999999999999 is none
          a.png zebra             | line 2 .*: 'zebra' is no number of a class, and nothing says
          b.png 1                 | line 2 .*: there is no file .*b.png
          a.png                   | .*val-labels.txt: line 2 is no path with a class behind it: 'a.png'
          """)
  void aWrongLineIsNamed(String line, String message) throws IOException {
    picture("a.png");
    Path list = list("a.png 0", line);
    assertThatThrownBy(() -> LabeledFiles.ofList(list, 4, NONE))
        .satisfies(e -> assertThat(Mendable.is(e)).isTrue())
        .hasMessageMatching("(?s).*" + message + ".*");
  }

  @Test
  void aListOfNothingThatThereIsIsRefused() throws IOException {
    Path list = list("n01/1.png 0");
    assertThatThrownBy(() -> LabeledFiles.ofList(list, 4, NONE))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("line 1")
        .hasMessageContaining("n01/1.png");
    Path empty = list("# nothing");
    assertThatThrownBy(() -> LabeledFiles.ofList(empty, 4, NONE))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("lists no pictures");
    Path binary = Files.write(folder.resolve("b.txt"), new byte[] {(byte) 0xff, (byte) 0xfe, 0});
    assertThatThrownBy(() -> LabeledFiles.ofList(binary, 4, NONE))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("UTF-8");
  }

  @Test
  void aFileNamesAllClasses() throws IOException {
    Path names = Files.write(folder.resolve("names.txt"), List.of("n1 a tench", "n2", ""));
    assertThat(ClassNames.read(names, 2).number("n1", "here")).isZero();
    assertThat(ClassNames.read(names, 2).number("n2", "here")).isEqualTo(1);
    assertThatThrownBy(() -> ClassNames.read(names, 3))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("names 2 classes, the network tells 3 apart");
    Files.write(names, List.of("n1", "", "n3"));
    assertThatThrownBy(() -> ClassNames.read(names, 3))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("line 2");
  }
}
