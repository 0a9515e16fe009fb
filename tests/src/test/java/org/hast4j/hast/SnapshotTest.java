package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.io.CorruptFileException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Memory in a checkpoint and back. */
class SnapshotTest {
  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  private static final Snapshot WRITTEN =
      new Snapshot(
          Stage.FINE_TUNING,
          7,
          Optional.of(new Score(Optional.of(new Accuracy(1e-3, Optional.of(2.5))), 100)),
          Optional.empty());

  @TempDir private Path folder;

  /** More than is on the Java heap at a time, and not a multiple of it. */
  @Test
  void largeMemoryComesBack() {
    int count = (2 << 20) + 17;
    Storage large = Storage.of("large", TensorType.i32(count));
    Storage small = Storage.of("small", TensorType.i64(1));
    int[] values = new Random(3).ints(count).toArray();
    Path file = folder.resolve("checkpoint.safetensors");
    try (Memory memory = new Memory(DEVICES.open())) {
      memory.buffer(large).upload(0, values);
      memory.buffer(small).upload(0, new long[] {-5});
      WRITTEN.write(file, memory, List.of(large, small), 9);
    }
    assertThat(Snapshot.read(file)).isEqualTo(WRITTEN);
    assertThat(Snapshot.metricsBytes(file)).isEqualTo(9);
    try (Memory memory = new Memory(DEVICES.open())) {
      Snapshot.restore(file, memory, List.of(small, large));
      int[] restored = new int[count];
      memory.buffer(large).download(0, restored);
      assertThat(restored).isEqualTo(values);
      long[] one = new long[1];
      memory.buffer(small).download(0, one);
      assertThat(one).containsExactly(-5);
      Storage other = Storage.of("large", TensorType.i32(count + 1));
      assertThatThrownBy(() -> Snapshot.restore(file, memory, List.of(other)))
          .isInstanceOf(CorruptFileException.class)
          .hasMessageContaining("'large' holds " + count);
    }
  }
}
