package org.hast4j.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafetensorsTest {
  @TempDir Path folder;

  @Test
  void everyTypeComesBack() {
    Path file = folder.resolve("all.safetensors");
    Shape four = Shape.of(2, 2);
    new SafetensorsWriter()
        .metadata("what", "a \"test\", µ")
        .putUnsigned("u8", four, new byte[] {0, 1, (byte) 128, (byte) 255})
        .putSigned("i8", four, new byte[] {-128, -1, 0, 127})
        .put("f32", four, new float[] {-0f, Float.MIN_VALUE, Float.NaN, Float.MAX_VALUE})
        .put("f64", four, new double[] {Math.PI, -0.0, 1e300, Double.NEGATIVE_INFINITY})
        .put("i32", four, new int[] {Integer.MIN_VALUE, -1, 0, Integer.MAX_VALUE})
        .put("i64", four, new long[] {Long.MIN_VALUE, -1, 0, Long.MAX_VALUE})
        .putHalf("f16", four, new float[] {1, 65504, 5.9604645e-8f, Float.NEGATIVE_INFINITY})
        .write(file);

    Safetensors read = Safetensors.read(file);
    assertThat(read.metadata()).hasSize(1).containsEntry("what", "a \"test\", µ");
    // Wider types first, otherwise in the order of the calls.
    assertThat(read.names()).containsExactly("f64", "i64", "f32", "i32", "f16", "u8", "i8");
    assertThat(read.tensor("f32").shape()).isEqualTo(four);
    assertThat(read.tensor("f32").dtype()).isEqualTo(DType.F32);
    assertThat(read.tensor("f32").floats())
        .containsExactly(-0f, Float.MIN_VALUE, Float.NaN, Float.MAX_VALUE);
    assertThat(read.tensor("f32").doubles())
        .containsExactly(-0.0, Float.MIN_VALUE, Double.NaN, Float.MAX_VALUE);
    assertThat(read.tensor("f64").doubles())
        .containsExactly(Math.PI, -0.0, 1e300, Double.NEGATIVE_INFINITY);
    assertThat(read.tensor("f64").floats())
        .containsExactly((float) Math.PI, -0f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY);
    assertThat(read.tensor("f16").floats())
        .containsExactly(1, 65504, 5.9604645e-8f, Float.NEGATIVE_INFINITY);
    assertThat(read.tensor("f16").doubles()).startsWith(1, 65504);
    assertThat(read.tensor("i32").longs())
        .containsExactly(Integer.MIN_VALUE, -1, 0, Integer.MAX_VALUE);
    assertThat(read.tensor("i64").longs()).containsExactly(Long.MIN_VALUE, -1, 0, Long.MAX_VALUE);
    assertThat(read.tensor("u8").longs()).containsExactly(0, 1, 128, 255);
    assertThat(read.tensor("i8").longs()).containsExactly(-128, -1, 0, 127);
    assertThat(read.tensor("i8").bytes()).containsExactly(-128, -1, 0, 127);
  }

  /** The upper halves of 1, -2.5, the largest finite bfloat16, -infinity and a subnormal. */
  @Test
  void bfloat16IsRead() throws IOException {
    String header = "{\"a\":{\"dtype\":\"BF16\",\"shape\":[5],\"data_offsets\":[0,10]}}";
    ByteBuffer bytes = ByteBuffer.allocate(8 + header.length() + 10).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(header.length()).put(header.getBytes(StandardCharsets.UTF_8));
    for (int half : new int[] {0x3f80, 0xc020, 0x7f7f, 0xff80, 0x0001}) {
      bytes.putShort((short) half);
    }
    Path file = Files.write(folder.resolve("bf16.safetensors"), bytes.array());
    Safetensors.Tensor tensor = Safetensors.read(file).tensor("a");
    assertThat(tensor.floats())
        .containsExactly(1, -2.5f, 0x1.fep127f, Float.NEGATIVE_INFINITY, 0x1p-133f);
    assertThat(tensor.doubles())
        .containsExactly(1, -2.5, 0x1.fep127, Double.NEGATIVE_INFINITY, 0x1p-133);
    assertThat(tensor.floats(1, 1)).containsExactly(-2.5f);
  }

  @Test
  void tensorsAreWrittenAndReadInParts() {
    Path file = folder.resolve("parts.safetensors");
    float[][] floats = {{1, 2, 3}, {4, 5, 6}, {7}};
    int[][] ints = {{-1, Integer.MIN_VALUE}, {3, 4}};
    new SafetensorsWriter()
        .putFloatParts("f", Shape.of(7), 3, index -> floats[index])
        .putIntParts("i", Shape.of(2, 2), 2, index -> ints[index])
        .write(file);
    Safetensors read = Safetensors.read(file);
    Safetensors.Tensor f = read.tensor("f");
    assertThat(f.floats()).containsExactly(1, 2, 3, 4, 5, 6, 7);
    assertThat(f.floats(2, 4)).containsExactly(3, 4, 5, 6);
    assertThatThrownBy(() -> f.floats(5, 3)).isInstanceOf(IndexOutOfBoundsException.class);
    Safetensors.Tensor i = read.tensor("i");
    assertThat(i.longs()).containsExactly(-1, Integer.MIN_VALUE, 3, 4);
    assertThat(i.ints(1, 2)).containsExactly(Integer.MIN_VALUE, 3);
    assertThatThrownBy(() -> i.ints(3, 2)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> f.ints(0, 1))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContainingAll("\"f\"", "I32");
  }

  /** Worked by hand from the description of the format. */
  @Test
  void theBytesOfASmallFileAreTheFormats() throws IOException {
    Path file = folder.resolve("small");
    new SafetensorsWriter().put("a", Shape.of(2), new float[] {1f, -2f}).write(file);
    String header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    byte[] padded = (header + " ".repeat(-header.length() & 7)).getBytes(StandardCharsets.US_ASCII);
    byte[] expected =
        ByteBuffer.allocate(8 + padded.length + 8)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(padded.length)
            .put(padded)
            .put(HexFormat.of().parseHex("0000803f000000c0"))
            .array();
    assertThat(Files.readAllBytes(file)).isEqualTo(expected);
  }

  @Test
  void theSameCallsGiveTheSameBytesAndAlignedTensors() throws IOException {
    Path first = folder.resolve("first");
    Path second = folder.resolve("second");
    for (Path file : new Path[] {first, second}) {
      new SafetensorsWriter()
          .metadata("b", "1")
          .metadata("a", "2")
          .putUnsigned("odd", Shape.of(3), new byte[3])
          .put("wide", Shape.of(1), new double[1])
          .write(file);
    }
    byte[] bytes = Files.readAllBytes(first);
    assertThat(Files.readAllBytes(second)).isEqualTo(bytes);
    assertThat(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong() % 8).isZero();
    assertThat(new String(bytes, StandardCharsets.ISO_8859_1))
        .contains("\"wide\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}");
  }

  @Test
  void valuesBeyondOneChunkStayInOrder() {
    Path file = folder.resolve("long");
    long[] values = new long[100_003];
    for (int i = 0; i < values.length; i++) {
      values[i] = 3L * i;
    }
    new SafetensorsWriter().put("v", Shape.of(values.length), values).write(file);
    assertThat(Safetensors.read(file).tensor("v").longs()).isEqualTo(values);
  }

  @Property(tries = 50)
  void anyFloatsComeBackBitForBit(@ForAll @Size(min = 1, max = 40) int[] bits) throws IOException {
    Path file = Files.createTempFile("hast4j", ".safetensors");
    try {
      float[] values = new float[bits.length];
      for (int i = 0; i < bits.length; i++) {
        values[i] = Float.intBitsToFloat(bits[i]);
      }
      new SafetensorsWriter().put("x", Shape.of(bits.length), values).write(file);
      float[] read = Safetensors.read(file).tensor("x").floats();
      for (int i = 0; i < bits.length; i++) {
        assertThat(Float.floatToRawIntBits(read[i])).isEqualTo(Float.floatToRawIntBits(values[i]));
      }
    } finally {
      Files.delete(file);
    }
  }

  @Test
  void anOpenFileSurvivesItsReplacement() {
    Path file = folder.resolve("file");
    new SafetensorsWriter().put("x", Shape.of(1), new int[] {1}).write(file);
    Safetensors old = Safetensors.read(file);
    new SafetensorsWriter().put("x", Shape.of(1), new int[] {2}).write(file);
    assertThat(old.tensor("x").longs()).containsExactly(1);
    assertThat(Safetensors.read(file).tensor("x").longs()).containsExactly(2);
  }

  @Test
  void aFileWithoutTensorsIsValid() {
    Path file = folder.resolve("none");
    new SafetensorsWriter().write(file);
    assertThat(Safetensors.read(file).names()).isEmpty();
  }

  @Test
  void wrongUseIsExplained() {
    Path file = folder.resolve("file");
    new SafetensorsWriter()
        .put("x", Shape.of(1), new float[1])
        .put("n", Shape.of(1), new int[1])
        .write(file);
    Safetensors read = Safetensors.read(file);
    assertThat(read.find("y")).isEmpty();
    assertThatThrownBy(() -> read.tensor("y"))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("\"y\"")
        .hasMessageContaining("[x, n]");
    assertThatThrownBy(() -> read.tensor("x").longs()).hasMessageContaining("\"x\" is F32");
    assertThatThrownBy(() -> read.tensor("n").floats()).hasMessageContaining("\"n\" is I32");
    assertThatThrownBy(() -> read.tensor("n").doubles()).hasMessageContaining("\"n\" is I32");
    assertThatThrownBy(() -> read.names().clear())
        .isInstanceOf(UnsupportedOperationException.class);
    assertThatThrownBy(() -> Safetensors.read(folder.resolve("nowhere")))
        .isInstanceOf(UncheckedIOException.class)
        .hasMessageContaining("nowhere");

    SafetensorsWriter writer = new SafetensorsWriter().put("x", Shape.of(1), new float[1]);
    assertThatThrownBy(() -> writer.put("x", Shape.of(1), new float[1]))
        .hasMessageContaining("\"x\" was added before");
    assertThatThrownBy(() -> writer.put("z", Shape.of(2, 2), new float[3]))
        .hasMessageContaining("3 values do not make a shape of [2, 2]");
    assertThatThrownBy(() -> writer.put("__metadata__", Shape.of(1), new float[1]))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> writer.putHalf("h", Shape.of(2), new float[] {1, -65520}))
        .isInstanceOf(RefusedException.class)
        .hasMessageContaining("-65520.0 at 1 is too large for F16");
  }
}
