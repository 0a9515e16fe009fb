package org.hast4j.cifar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class TarReaderTest {
  @Test
  void readsFilesAndSkipsTheRest() throws IOException {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("folder/a", new byte[] {1, 2, 3});
    files.put("folder/b", new byte[513]);
    files.put("c", new byte[0]);
    files.put("d", new byte[] {4});
    TarReader tar = reader(Archives.tar(files));

    TarReader.Entry a = tar.next().orElseThrow();
    assertThat(a.name()).isEqualTo("folder/a");
    assertThat(a.baseName()).isEqualTo("a");
    assertThat(tar.content(a)).containsExactly(1, 2, 3);
    assertThat(tar.next().orElseThrow().size()).isEqualTo(513);
    assertThat(tar.content(tar.next().orElseThrow())).isEmpty();
    assertThat(tar.content(tar.next().orElseThrow())).containsExactly(4);
    assertThat(tar.next()).isEmpty();
  }

  @Test
  void refusesDamage() throws IOException {
    byte[] whole = Archives.tar(Map.of("name", new byte[600]));
    TarReader inContent = reader(Arrays.copyOf(whole, 512 + 512 + 100));
    TarReader.Entry entry = inContent.next().orElseThrow();
    assertThatThrownBy(() -> inContent.content(entry))
        .isInstanceOf(EOFException.class)
        .hasMessageContaining("inside name, after 100 of 600 bytes");
    assertThatThrownBy(() -> reader(Arrays.copyOf(whole, 300)).next())
        .isInstanceOf(EOFException.class);
    byte[] text = new byte[512];
    Arrays.fill(text, (byte) 'x');
    assertThatThrownBy(() -> reader(text).next()).hasMessageContaining("not a tar archive");
  }

  private static TarReader reader(byte[] bytes) {
    return new TarReader(new ByteArrayInputStream(bytes));
  }
}
