package org.hast4j.source.onnx;

import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.UnreadableFileException;

/** Values that stand in files beside the graph's. */
final class ExternalData {
  private final Path folder;

  /**
   * @param file the graph's
   */
  ExternalData(Path file) {
    folder = file.toAbsolutePath().normalize().getParent();
  }

  /**
   * The values of a tensor.
   *
   * @param expected bytes that it needs
   * @throws RefusedException naming the file that is missing or too short, or that is none of the
   *     folder's
   */
  MemorySegment bytes(TensorProto tensor, long expected) {
    String name = Names.quoted(tensor.getName());
    Map<String, String> entries = new HashMap<>();
    for (StringStringEntryProto entry : tensor.getExternalDataList()) {
      entries.put(entry.getKey(), entry.getValue());
    }
    String location = entries.getOrDefault("location", "");
    Path file = inside(name, location);
    long offset = number(name, "offset", entries.getOrDefault("offset", "0"));
    long length = number(name, "length", entries.getOrDefault("length", "" + expected));
    if (!Files.isRegularFile(file)) {
      throw new RefusedException(
          "the values of tensor %s stand in %s, which is missing: it belongs beside the .onnx file, in %s"
              .formatted(name, Names.quoted(location), folder));
    }
    if (length != expected) {
      throw new RefusedException(
          "tensor %s needs %d bytes, its external data has length %d"
              .formatted(name, expected, length));
    }
    try (FileChannel channel = FileChannel.open(file)) {
      if (offset > channel.size() || length > channel.size() - offset) {
        throw new RefusedException(
            "tensor %s has %d bytes at offset %d of %s, which ends at %d: the file is cut short, or another graph's"
                .formatted(name, length, offset, Names.quoted(location), channel.size()));
      }
      return length == 0
          ? MemorySegment.NULL
          : channel.map(FileChannel.MapMode.READ_ONLY, offset, length, Arena.ofAuto());
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    }
  }

  private Path inside(String name, String location) {
    try {
      Path relative = Path.of(location);
      Path file = folder.resolve(relative).normalize();
      if (!location.isBlank()
          && !relative.isAbsolute()
          && location.indexOf('\\') < 0
          && file.startsWith(folder)
          && !file.equals(folder)) {
        return file;
      }
    } catch (InvalidPathException _) {
      // Said below.
    }
    throw new RefusedException(
        "the values of tensor %s stand in %s, which is no file of the .onnx file's folder"
            .formatted(name, Names.quoted(location)));
  }

  private static long number(String name, String key, String text) {
    try {
      long number = Long.parseLong(text);
      if (number >= 0) {
        return number;
      }
    } catch (NumberFormatException _) {
      // Said below.
    }
    throw new RefusedException(
        "tensor %s has external data of %s %s, which is no size"
            .formatted(name, key, Names.quoted(text)));
  }
}
