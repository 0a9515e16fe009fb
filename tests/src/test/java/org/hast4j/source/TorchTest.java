package org.hast4j.source;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.source.PickleWriter.pickle;
import static org.hast4j.source.PickleWriter.storage;
import static org.hast4j.source.PickleWriter.tensor;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.hast4j.io.CorruptFileException;
import org.hast4j.source.PickleWriter.Call;
import org.junit.jupiter.api.io.TempDir;

/** Writes files of PyTorch and reads them. */
abstract class TorchTest {
  static final byte[] FOUR = TorchFiles.floats(1, 2, 3, 4);

  @TempDir Path folder;

  final Source read(byte[] bytes) throws IOException {
    Path file = folder.resolve("network");
    Files.write(file, bytes);
    return Source.read(file);
  }

  /** Of a value whose only storage, "0", has the floats 1 to 4. */
  final Source readZip(Object value) throws IOException {
    return read(TorchFiles.zip(pickle(value), Map.of("0", FOUR)));
  }

  static Call four() {
    return tensor(storage("FloatStorage", "0", 4), 0, List.of(2L, 2L), List.of(2L, 1L));
  }

  final void assertRefused(byte[] bytes, String... problem) throws IOException {
    Path file = folder.resolve("refused");
    Files.write(file, bytes);
    assertThatThrownBy(() -> Source.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageContainingAll(problem);
  }

  final void assertRefused(Object value, String... problem) throws IOException {
    assertRefused(TorchFiles.zip(pickle(value), Map.of("0", FOUR)), problem);
  }

  static float[] floats(Source source, String name) {
    return source.tensors().get(name).floats();
  }
}
