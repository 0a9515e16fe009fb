package org.hast4j.ops;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.device.driver.Traffic;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.tensor.DType;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What the CUDA kernels ask of memory is about the least that their data asks: warps touch whole
 * sectors of global memory, and lanes meet in different banks of shared memory. The counts of all
 * cases are left in {@code target/traffic.tsv}; {@code -Dhast.traffic.places=true} prints where in
 * the kernels they come from. That the counter counts is {@link
 * org.hast4j.device.driver.EmulationTest}'s business.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TrafficTest {
  private static final Path TABLE = Path.of("target/traffic.tsv");

  /** Beside the least: at an image's border lanes read zeros from where others read pixels. */
  private static final double MOST_PASSES = 1.1;

  private final List<String> lines = new ArrayList<>();
  private Traffic traffic;

  @BeforeAll
  void open() {
    Platform.COUNTED.assumeUsable();
    traffic = Platform.traffic();
    lines.add("case\tbytes needed\tbytes moved\tratio\tbeside least sectors\tbeside least passes");
  }

  @AfterAll
  void close() throws IOException {
    if (traffic != null) {
      if (Boolean.getBoolean("hast.traffic.places")) {
        traffic.print(Integer.MAX_VALUE);
      }
      traffic.close();
      Files.createDirectories(TABLE.getParent());
      Files.write(TABLE, lines);
    }
  }

  static List<TrafficCases.Case> cases() {
    return TrafficCases.all();
  }

  @ParameterizedTest
  @MethodSource("cases")
  void asksForLittleMoreThanTheLeast(TrafficCases.Case test) {
    Traffic.Counts counts = counts(test);
    long moved = counts.sectors() * Traffic.SECTOR_BYTES;
    lines.add(
        "%s\t%d\t%d\t%.2f\t%.2f\t%.2f"
            .formatted(
                test,
                test.bytes(),
                moved,
                (double) moved / test.bytes(),
                counts.global(),
                counts.shared()));
    assertThat(moved)
        .as("bytes counted, or some accesses are not")
        .isGreaterThanOrEqualTo(test.bytes());
    assertThat(counts.global()).as("sectors of global memory").isLessThan(test.mostSectors());
    assertThat(counts.shared()).as("passes over shared memory").isLessThan(MOST_PASSES);
  }

  private Traffic.Counts counts(TrafficCases.Case test) {
    Graph graph = new Graph();
    List<Storage> storages = new ArrayList<>();
    List<Value> values = new ArrayList<>();
    for (TensorType type : test.inputs()) {
      Storage storage = Storage.of("input", type);
      storages.add(storage);
      values.add(graph.variable(storage, type));
    }
    Node node = graph.apply(test.op(), values.toArray(Value[]::new));
    for (int output : test.wanted()) {
      graph.keep(node.output(output), Storage.of("output", node.output(output).type()));
    }
    Platform platform = Platform.COUNTED;
    try (OpenDevice device =
            platform.open(platform.options(1, test.precision(), Launching.SINGLE));
        Memory memory = new Memory(device);
        Program program = Program.compile("workspace", graph, memory)) {
      RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(1);
      for (int i = 0; i < storages.size(); i++) {
        TensorType type = test.inputs().get(i);
        if (type.dtype() == DType.F32) {
          float[] uniform = new float[Math.toIntExact(type.shape().elements())];
          for (int j = 0; j < uniform.length; j++) {
            uniform[j] = random.nextFloat();
          }
          memory.buffer(storages.get(i)).upload(0, uniform);
        } else if (type.dtype() == DType.I32) {
          memory.buffer(storages.get(i)).upload(0, TrafficCases.boxes());
        }
      }
      traffic.take();
      program.run();
      device.synchronize();
      return traffic.take();
    }
  }
}
