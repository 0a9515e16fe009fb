package org.hast4j.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
  private static final byte[] NEW = "new".getBytes(StandardCharsets.UTF_8);

  @TempDir Path folder;

  @Test
  void createsAndReplaces() throws IOException {
    Path file = folder.resolve("file");
    AtomicFile.write(file, "old".getBytes(StandardCharsets.UTF_8));
    assertThat(file).hasContent("old");
    AtomicFile.write(file, NEW);
    assertThat(file).hasContent("new");
    assertThat(children()).containsExactly(file);
  }

  @Test
  void aReaderSeesTheOldContentUntilTheNewIsComplete() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "old");
    AtomicFile.write(
        file,
        out -> {
          out.write(NEW);
          out.flush();
          assertThat(file).hasContent("old");
        });
    assertThat(file).hasContent("new");
  }

  @Test
  void aRelativeNameIsTakenFromTheWorkingDirectory() throws IOException {
    Path relative = Path.of("").toAbsolutePath().relativize(folder).resolve("file");
    AtomicFile.write(relative, NEW);
    assertThat(folder.resolve("file")).hasContent("new");
  }

  @Test
  void aSymbolicLinkStaysAndItsTargetIsReplaced() throws IOException {
    Path real = Files.writeString(folder.resolve("real"), "old");
    Path link = Files.createSymbolicLink(folder.resolve("link"), real);
    AtomicFile.write(link, NEW);
    assertThat(link).isSymbolicLink();
    assertThat(real).hasContent("new");
  }

  @Test
  void aFailureLeavesTheOldFileAndNoOther() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "old");
    assertThatThrownBy(
            () ->
                AtomicFile.write(
                    file,
                    out -> {
                      out.write(new byte[1 << 20]);
                      throw new IOException("No space left on device");
                    }))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContaining("free some space");
    assertThatThrownBy(
            () ->
                AtomicFile.write(
                    file,
                    _ -> {
                      throw new IllegalStateException("a defect");
                    }))
        .isInstanceOf(IllegalStateException.class);
    assertThat(file).hasContent("old");
    assertThat(children()).containsExactly(file);
  }

  @Test
  void whatIsWrongWithTheTargetIsSaid() throws IOException {
    Path plain = Files.writeString(folder.resolve("plain"), "");
    assertThatThrownBy(() -> AtomicFile.write(folder.resolve("no/file"), NEW))
        .hasMessageContaining(folder.resolve("no") + " does not exist; create it first");
    assertThatThrownBy(() -> AtomicFile.write(plain.resolve("file"), NEW))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("Not a directory");
    assertThatThrownBy(() -> AtomicFile.write(folder, NEW))
        .hasMessageContaining(folder + ": is a directory");
  }

  private List<Path> children() throws IOException {
    try (Stream<Path> children = Files.list(folder)) {
      return children.toList();
    }
  }
}
