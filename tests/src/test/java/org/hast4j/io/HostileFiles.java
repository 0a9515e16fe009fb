package org.hast4j.io;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/** Safetensors files as bad disks and hostile hands leave them. */
public final class HostileFiles {
  /** Texts that are no number, no list, no name, too large or too deep. */
  public static final List<String> TEXTS =
      List.of(
          "",
          " ",
          "null",
          "true",
          "-1",
          "0",
          "1",
          "7",
          "9",
          "32",
          "+32",
          "3.5",
          "1e400",
          "NaN",
          "2147483648",
          "9223372036854775807",
          "99999999999999999999",
          "[]",
          "[1",
          "[1, 2]",
          "[0, 0, 0]",
          "[null, 1, 1]",
          "[1e999, 1, 1]",
          "[\"a\", \"b\", \"c\"]",
          "[[1], [2], [3]]",
          "{\"a\": 1}",
          "\"AAAA\"",
          "[".repeat(20_000),
          "\u0000",
          "\u001b[31m",
          "\ud800",
          "\u0663\u0662",
          "resnet50",
          "cifar-resnet0-b",
          "cifar-resnet1202-w1024-b-100000",
          "mobilenetv2-w0.0-10",
          "DONE",
          "FINE_TUNING");

  private static final List<String> NAMES =
      List.of(
          "",
          "fc.weight",
          "output.weight",
          "classifier.1.weight",
          "conv1.weight",
          "layer9999999999.0.conv1.weight",
          "layer1.0.conv3.weight",
          "features.0.0.weight",
          "features.stage1.unit1.conv1.conv.weight",
          "features.stage1.unit1.dw_conv.conv.weight",
          "features.stage1.unit1.body.conv1.conv.weight");

  private static final List<Shape> SHAPES =
      List.of(
          Shape.of(1),
          Shape.of(4),
          Shape.of(2, 2),
          Shape.of(10, 16, 1, 1),
          Shape.of(1025, 3, 3, 3),
          Shape.of(4, 3, 7, 7),
          Shape.of(2, 3, 32, 31),
          Shape.of(1, 1, 1, 1, 1, 1));

  private static final float[] VALUES = {
    0, -1, Float.NaN, Float.NEGATIVE_INFINITY, Float.MAX_VALUE, Float.MIN_VALUE, 1e20f, 1e-20f
  };

  private HostileFiles() {}

  private record Tensor(String name, DType dtype, Shape shape, byte[] bytes) {
    Tensor as(DType other, Shape size) {
      int length = Math.toIntExact(size.elements() * other.bytes());
      return new Tensor(name, other, size, Arrays.copyOf(bytes, length));
    }
  }

  /** A good file's bytes after an accident, or those of a file that is sound and means nothing. */
  public static byte[] damaged(Path good, Random random) {
    try {
      return random.nextInt(4) == 0
          ? broken(Files.readAllBytes(good), random)
          : changed(Safetensors.read(good), random);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] broken(byte[] bytes, Random random) {
    int header = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
    switch (random.nextInt(4)) {
      case 0 -> {
        return Arrays.copyOf(bytes, random.nextInt(bytes.length));
      }
      case 1 -> {
        return Arrays.copyOf(bytes, bytes.length + 1 + random.nextInt(100));
      }
      case 2 -> bytes[random.nextInt(Long.BYTES)] ^= (byte) (1 << random.nextInt(8));
      default -> {
        for (int i = 0; i <= random.nextInt(4); i++) {
          String likely = "{}[]\",:0123456789eE-+.ntf\\u";
          bytes[Long.BYTES + random.nextInt(header)] =
              (byte) likely.charAt(random.nextInt(likely.length()));
        }
      }
    }
    return bytes;
  }

  /** A good file's bytes with other metadata. */
  public static byte[] withMetadata(Path good, Map<String, String> metadata) {
    return bytes(metadata, tensors(Safetensors.read(good)));
  }

  private static List<Tensor> tensors(Safetensors file) {
    List<Tensor> tensors = new ArrayList<>();
    for (String name : file.names()) {
      Safetensors.Tensor tensor = file.tensor(name);
      tensors.add(new Tensor(name, tensor.dtype(), tensor.shape(), tensor.bytes()));
    }
    return tensors;
  }

  private static byte[] changed(Safetensors file, Random random) {
    Map<String, String> metadata = new LinkedHashMap<>(file.metadata());
    List<Tensor> tensors = tensors(file);
    int at = random.nextInt(tensors.size());
    Tensor tensor = tensors.get(at);
    switch (random.nextInt(8)) {
      case 0, 1 -> metadata.put(any(metadata.keySet(), random), any(TEXTS, random));
      case 2 -> metadata.remove(any(metadata.keySet(), random));
      case 3 -> tensors.remove(at);
      case 4 ->
          tensors.set(at, new Tensor(any(NAMES, random), tensor.dtype, tensor.shape, tensor.bytes));
      case 5 -> tensors.set(at, tensor.as(any(List.of(DType.values()), random), tensor.shape));
      case 6 -> tensors.set(at, tensor.as(tensor.dtype, any(SHAPES, random)));
      default -> {
        ByteBuffer values = ByteBuffer.wrap(tensor.bytes).order(ByteOrder.LITTLE_ENDIAN);
        while (values.remaining() >= Float.BYTES) {
          values.putFloat(VALUES[random.nextInt(VALUES.length)]);
        }
      }
    }
    return bytes(metadata, tensors);
  }

  private static <T> T any(Iterable<T> values, Random random) {
    List<T> list = new ArrayList<>();
    values.forEach(list::add);
    return list.get(random.nextInt(list.size()));
  }

  /** Unlike {@link SafetensorsWriter} it takes one name twice. */
  private static byte[] bytes(Map<String, String> metadata, List<Tensor> tensors) {
    List<String> entries = new ArrayList<>();
    metadata.forEach((key, text) -> entries.add(json(key) + ":" + json(text)));
    String header = "{\"__metadata__\":{" + String.join(",", entries) + "}";
    ByteArrayOutputStream data = new ByteArrayOutputStream();
    for (Tensor tensor : tensors) {
      header +=
          ",%s:{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
              .formatted(
                  json(tensor.name),
                  tensor.dtype,
                  tensor.shape,
                  data.size(),
                  data.size() + tensor.bytes.length);
      data.writeBytes(tensor.bytes);
    }
    byte[] json = (header + "}").getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(Long.BYTES + json.length + data.size())
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length)
        .put(json)
        .put(data.toByteArray())
        .array();
  }

  private static String json(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      json.append(c < ' ' || c == '"' || c == '\\' ? "\\u%04x".formatted((int) c) : c);
    }
    return json.append('"').toString();
  }
}
