package org.hast4j.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.hast4j.tensor.Shape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What a reader must refuse: every number in a header may lie. */
class SafetensorsCorruptionTest {
  @TempDir Path folder;

  /** A header, the bytes of data behind it, and what the message must say. */
  static Stream<Arguments> lyingHeaders() {
    return Stream.of(
        Arguments.of("[1]", 0, "does not begin with '{'"),
        Arguments.of("{\"a\":", 0, "not valid JSON"),
        Arguments.of("{}{}", 0, "goes on after"),
        Arguments.of("{\"a\":7}", 0, "\"a\" is not a JSON object"),
        Arguments.of("{\"__metadata__\":{\"k\":1}}", 0, "metadata \"k\" is not a text"),
        Arguments.of("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "__metadata__ twice"),
        Arguments.of("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "\"a\" lacks one of"),
        Arguments.of("{" + tensor("a", "F32", "[2]", "0,8") + "}", 4, "has only 4"),
        Arguments.of("{" + tensor("a", "F32", "[2]", "0,7") + "}", 7, "7 bytes, but F32[2]"),
        Arguments.of("{" + tensor("a", "F32", "[2]", "0,4") + "}", 4, "takes 2 x 4"),
        Arguments.of("{" + tensor("a", "F32", "[2]", "8,0") + "}", 8, "before its begin 8"),
        Arguments.of("{" + tensor("a", "F32", "[2]", "0,8,9") + "}", 8, "[0, 8, 9] instead of"),
        Arguments.of("{" + tensor("a", "F32", "[2]", "-8,0") + "}", 8, "-8 in its data_offsets"),
        Arguments.of("{" + tensor("a", "F32", "[2]", "0.0,8") + "}", 8, "0.0 in its data_offsets"),
        Arguments.of("{" + tensor("a", "F32", "[2]", "0,\"8\"") + "}", 8, "8 in its data_offsets"),
        Arguments.of(
            "{" + tensor("a", "F32", "[2]", "0,99999999999999999999") + "}",
            8,
            "99999999999999999999 in its data_offsets"),
        Arguments.of("{" + tensor("a", "F32", "2", "0,8") + "}", 8, "shape that is not an array"),
        Arguments.of("{" + tensor("a", "F32", "[0]", "0,0") + "}", 0, "shape [0]"),
        Arguments.of(
            "{" + tensor("a", "U8", "[4294967296,4294967296]", "0,0") + "}",
            0,
            "too many elements"),
        // The product of elements and size wraps around to 8.
        Arguments.of(
            "{" + tensor("a", "F64", "[2305843009213693953]", "0,8") + "}", 8, "takes 23058"),
        Arguments.of("{" + tensor("a", "F8_E4M3", "[2]", "0,2") + "}", 2, "dtype F8_E4M3"),
        Arguments.of("{" + tensor("a", "F33", "[2]", "0,8") + "}", 8, "dtype F33"),
        Arguments.of(
            "{" + tensor("a", "U8", "[4]", "0,4") + "," + tensor("b", "U8", "[4]", "3,7") + "}",
            7,
            "\"b\" begins at byte 3, inside tensor \"a\", which ends at 4"),
        Arguments.of(
            "{" + tensor("a", "U8", "[4]", "0,4") + "," + tensor("b", "U8", "[4]", "5,9") + "}",
            9,
            "hole from byte 4"),
        Arguments.of(
            "{" + tensor("a", "U8", "[4]", "0,4") + "," + tensor("a", "U8", "[4]", "4,8") + "}",
            8,
            "\"a\" is declared twice"),
        Arguments.of("{" + tensor("a", "U8", "[4]", "0,4") + "}", 5, "end at byte 4"));
  }

  private static String tensor(String name, String dtype, String shape, String offsets) {
    return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%s]}"
        .formatted(name, dtype, shape, offsets);
  }

  @ParameterizedTest
  @MethodSource("lyingHeaders")
  void aLyingHeaderIsRefused(String header, int dataBytes, String message) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    Path file = write(json.length, json, dataBytes);
    assertThatThrownBy(() -> Safetensors.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageContaining(message);
  }

  @Test
  void aLyingHeaderLengthIsRefused() throws IOException {
    byte[] json = "{}".getBytes(StandardCharsets.UTF_8);
    for (long length : new long[] {100_000_001, Long.MAX_VALUE, Long.MIN_VALUE, -1}) {
      Path file = write(length, json, 0);
      assertThatThrownBy(() -> Safetensors.read(file))
          .isInstanceOf(CorruptFileException.class)
          .hasMessageContaining(Long.toUnsignedString(length))
          .hasMessageContaining("hardly a safetensors file");
    }
    Path tooLong = write(100, json, 0);
    assertThatThrownBy(() -> Safetensors.read(tooLong))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageContaining("header of 100 bytes, but only 2 follow");
    Path empty = write(0, new byte[0], 0);
    assertThatThrownBy(() -> Safetensors.read(empty)).isInstanceOf(CorruptFileException.class);
  }

  /** A file of holes, which takes no room on a disk. */
  @Test
  void aTensorBeyondAnyArrayIsRefusedWhenItIsRead() throws IOException {
    long count = 3_000_000_000L;
    byte[] json =
        ("{" + tensor("a", "U8", "[" + count + "]", "0," + count) + "}")
            .getBytes(StandardCharsets.UTF_8);
    Path file = write(json.length, json, 0);
    try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
      sparse.setLength(sparse.length() + count);
    }
    Safetensors.Tensor read = Safetensors.read(file).tensor("a");
    assertThatThrownBy(read::longs)
        .isInstanceOf(CorruptFileException.class)
        .hasMessage(file + ": tensor \"a\" has 3000000000 values, too many for one array");
    assertThatThrownBy(read::bytes).isInstanceOf(CorruptFileException.class);
  }

  @Test
  void everyTruncationIsRefused() throws IOException {
    byte[] whole = sample();
    for (int length = 0; length < whole.length; length++) {
      Path cut = Files.write(folder.resolve("cut"), Arrays.copyOf(whole, length));
      assertThatThrownBy(() -> Safetensors.read(cut)).isInstanceOf(CorruptFileException.class);
    }
  }

  @Test
  void noFlippedByteOfAHeaderLeadsAnywhereElse() throws IOException {
    byte[] whole = sample();
    int end = 8 + (int) ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong();
    Random random = new Random(1);
    int refused = 0;
    for (int i = 0; i < 500; i++) {
      byte[] damaged = whole.clone();
      damaged[random.nextInt(end)] ^= (byte) (1 + random.nextInt(255));
      Path file = Files.write(folder.resolve("damaged"), damaged);
      try {
        // A changed name or text cannot be noticed: then every tensor must still be readable.
        Safetensors read = Safetensors.read(file);
        read.names().forEach(name -> read.tensor(name).bytes());
      } catch (CorruptFileException e) {
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(250);
  }

  private byte[] sample() throws IOException {
    Path file = folder.resolve("whole");
    new SafetensorsWriter()
        .metadata("k", "v")
        .put("x", Shape.of(2, 3), new float[6])
        .putUnsigned("y", Shape.of(3), new byte[3])
        .write(file);
    return Files.readAllBytes(file);
  }

  private Path write(long headerLength, byte[] header, int dataBytes) throws IOException {
    byte[] bytes =
        ByteBuffer.allocate(8 + header.length + dataBytes)
            .order(ByteOrder.LITTLE_ENDIAN)
            .putLong(headerLength)
            .put(header)
            .array();
    return Files.write(folder.resolve("lying"), bytes);
  }
}
