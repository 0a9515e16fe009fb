package org.hast4j.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.nn.Checkpoint;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code hast inspect} tells of a file that says nothing of its network. */
class InspectProcessTest {
  @TempDir private static Path scratch;

  /** A ResNet-8 of width 4 whose sizes are worked out by hand. */
  @Test
  void aStateDict() throws IOException {
    Path described = scratch.resolve("described.safetensors");
    Checkpoint.write(described, TinyNetwork.of(10));
    Safetensors tensors = Safetensors.read(described);
    SafetensorsWriter writer = new SafetensorsWriter();
    for (String name : tensors.names()) {
      writer.put("net." + name, tensors.tensor(name).shape(), tensors.tensor(name).floats());
    }
    Path file = scratch.resolve("plain.bin");
    writer.write(file);
    HastProcess.Outcome result = HastProcess.run(scratch, "inspect", file.toString(), "--json");
    assertThat(result.code()).as(result.err()).isZero();
    JsonNode json = new ObjectMapper().readTree(result.out());
    // Stem 108, first stage 2 x 144, second 288 + 576 + 32, third 1152 + 2304 + 128, classifier
    // 170;
    // BatchNorms of 4, 4, 4, 8, 8, 8, 16, 16 and 16 channels.
    assertThat(json.get("parameters").asLong()).isEqualTo(108 + 288 + 896 + 3584 + 170 + 2 * 84);
    // 1024 pixels in the first stage, 256 in the second, 64 in the third.
    assertThat(json.get("multiply_adds").asLong())
        .isEqualTo(1024 * (108 + 288) + 256 * 896 + 64 * 3584 + 160);
    assertThat(json.get("assumptions").toString()).contains("below net.", "strides=1-2-2");
    assertThat(json.get("quantisable").asBoolean()).isTrue();
    assertThat(json.get("quantised_activations")).hasSize(7);
  }
}
