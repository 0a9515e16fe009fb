package org.hast4j.ops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.hast4j.graph.TensorType.f32;
import static org.hast4j.graph.TensorType.i32;
import static org.hast4j.graph.TensorType.i64;

import java.util.Arrays;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Op;
import org.hast4j.graph.Random;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.oracle.Philox;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Random numbers: the generator against published vectors, the kernels against the generator, and
 * their statistics.
 */
class RandomTest {
  private static final int COUNT = 400_000;

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  /** Known answers for philox4x32-10, from kat_vectors of the authors' Random123. */
  @ParameterizedTest
  @CsvSource({
    "00000000 00000000 00000000 00000000, 00000000 00000000, 6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    "ffffffff ffffffff ffffffff ffffffff, ffffffff ffffffff, 408f276d 41c83b0e a20bc7c6 6d5451fd",
    "243f6a88 85a308d3 13198a2e 03707344, a4093822 299f31d0, d16cfe09 94fdcceb 5001e420 24126ea1"
  })
  void theGeneratorGivesThePublishedVectors(String counter, String key, String expected) {
    assertThat(Philox.generate(words(counter), words(key))).containsExactly(words(expected));
  }

  private static int[] words(String text) {
    return Arrays.stream(text.split(" "))
        .mapToInt(word -> Integer.parseUnsignedInt(word, 16))
        .toArray();
  }

  private static float[] floats(Op op, TensorType type, long seed, long step) {
    Graph graph = new Graph();
    Storage key = Storage.of("key", i64(2));
    Storage result = Storage.of("result", type);
    graph.keep(graph.value(op, graph.variable(key, i64(2))), result);
    try (Memory memory = new Memory(DEVICES.open());
        Program program = Program.compile("random", graph, memory)) {
      memory.buffer(key).upload(0, new long[] {seed, step});
      program.run();
      return memory.floats(result);
    }
  }

  private static int[] integers(Op op, TensorType type, long seed, long step) {
    float[] bits = floats(op, type, seed, step);
    int[] integers = new int[bits.length];
    Arrays.setAll(integers, i -> Float.floatToRawIntBits(bits[i]));
    return integers;
  }

  /** All 64 bits of seed and step count, and so does the sign of a draw. */
  @ParameterizedTest
  @CsvSource({
    "0, 0, 0",
    "1, 0, 0",
    "-1, -1, -1",
    "9223372036854775807, 4294967296, 5",
    "-9223372036854775808, 9223372036854775807, 2147483647",
    "1311768467463790320, 4294967295, 1"
  })
  void wholeKeysAreUsed(long seed, long step, int draw) {
    Philox philox = new Philox(seed, step, draw);
    int[] labels = integers(new Random.PhiloxLabels(draw, 1001, 1000), i32(1001), seed, step);
    float[] normals = floats(new Random.PhiloxNormal(draw, f32(1001)), f32(1001), seed, step);
    for (int i = 0; i < labels.length; i++) {
      long[] block = philox.block(i / 4);
      assertThat(labels[i]).as("label %d", i).isEqualTo((int) (block[i % 4] * 1000 >>> 32));
      double radius = Math.sqrt(-2 * Math.log(Philox.uniform(block[i % 4 / 2 * 2])));
      double angle = 2 * Math.PI * Philox.uniform(block[i % 4 / 2 * 2 + 1]);
      double expected = radius * (i % 2 == 0 ? Math.cos(angle) : Math.sin(angle));
      assertThat((double) normals[i]).as("normal %d", i).isCloseTo(expected, within(1e-6));
    }
  }

  @Test
  void aShorterTensorIsTheStartOfALongerOne() {
    float[] longer = floats(new Random.PhiloxNormal(2, f32(1000)), f32(1000), 5, 6);
    float[] shorter = floats(new Random.PhiloxNormal(2, f32(333)), f32(333), 5, 6);
    assertThat(shorter).containsExactly(Arrays.copyOf(longer, 333));
  }

  @Test
  void seedsStepsAndDrawsAreApart() {
    float[] base = floats(new Random.PhiloxNormal(2, f32(100)), f32(100), 5, 6);
    assertThat(floats(new Random.PhiloxNormal(2, f32(100)), f32(100), 6, 6)).isNotEqualTo(base);
    assertThat(floats(new Random.PhiloxNormal(2, f32(100)), f32(100), 5, 7)).isNotEqualTo(base);
    assertThat(floats(new Random.PhiloxNormal(3, f32(100)), f32(100), 5, 6)).isNotEqualTo(base);
  }

  @Test
  void normalsHaveTheMomentsOfTheNormalDistribution() {
    float[] values = floats(new Random.PhiloxNormal(0, f32(COUNT)), f32(COUNT), 42, 0);
    double[] moments = new double[5];
    double neighbors = 0;
    for (int i = 0; i < COUNT; i++) {
      double power = 1;
      for (int k = 1; k < 5; k++) {
        power *= values[i];
        moments[k] += power / COUNT;
      }
      neighbors += i > 0 ? (double) values[i] * values[i - 1] / COUNT : 0;
    }
    // Five standard errors: sqrt(Var(x^k) / n) with variances 1, 2, 15 and 96.
    double error = 5 / Math.sqrt(COUNT);
    assertThat(moments[1]).isCloseTo(0, within(error));
    assertThat(moments[2]).isCloseTo(1, within(error * Math.sqrt(2)));
    assertThat(moments[3]).isCloseTo(0, within(error * Math.sqrt(15)));
    assertThat(moments[4]).isCloseTo(3, within(error * Math.sqrt(96)));
    assertThat(neighbors).isCloseTo(0, within(error));
  }

  @Test
  void labelsAreUniform() {
    int classes = 10;
    int[] counts = new int[classes];
    for (int label : integers(new Random.PhiloxLabels(1, COUNT, classes), i32(COUNT), 42, 0)) {
      counts[label]++;
    }
    double error = 5 * Math.sqrt(COUNT * .1 * .9);
    for (int count : counts) {
      assertThat((double) count).isCloseTo(COUNT / 10.0, within(error));
    }
  }

  @Test
  void cropsCoverTheirIntervals() {
    int n = 20_000;
    Graph graph = new Graph();
    Storage key = Storage.of("key", i64(2));
    Storage images = Storage.of("images", f32(40, 32, 32, 3));
    Storage result = Storage.of("boxes", i32(n, 6));
    Value boxes =
        graph.value(
            new Random.Boxes(4, n, new Random.Augmentation.ResizedCrop(.5f, 1, .75f, 4f / 3)),
            graph.variable(key, i64(2)),
            graph.variable(images, f32(40, 32, 32, 3)));
    graph.keep(boxes, result);
    int[] values = new int[6 * n];
    try (Memory memory = new Memory(DEVICES.open());
        Program program = Program.compile("boxes", graph, memory)) {
      memory.buffer(key).upload(0, new long[] {9, 9});
      program.run();
      memory.buffer(result).download(0, values);
    }
    int[] perImage = new int[40];
    int flips = 0;
    double area = 0;
    for (int i = 0; i < n; i++) {
      int[] box = Arrays.copyOfRange(values, 6 * i, 6 * i + 6);
      perImage[box[0]]++;
      flips += box[5];
      area += box[3] * box[4] / 1024.0 / n;
      assertThat(box[1]).isBetween(0, 32 - box[3]);
      assertThat(box[2]).isBetween(0, 32 - box[4]);
      assertThat(box[3] * box[4] / 1024.0).isBetween(.45, 1.0);
      assertThat((double) box[4] / box[3]).isBetween(.7, 1.42);
    }
    for (int count : perImage) {
      assertThat((double) count).isCloseTo(n / 40.0, within(6 * Math.sqrt(n / 40.0)));
    }
    assertThat((double) flips).isCloseTo(n / 2.0, within(5 * Math.sqrt(n) / 2));
    // Large boxes of extreme aspect do not fit and are drawn again, so the mean is a little below
    // .75.
    assertThat(area).isBetween(.68, .76);
  }
}
