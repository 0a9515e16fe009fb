package org.hast4j.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.UnreadableFileException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What people give for a network's file: each is called by its name, and what to do is said. */
class FileKindTest {
  @TempDir Path folder;

  private static byte[] latin(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }

  private static byte[] zip(String... names) {
    Map<String, byte[]> entries = new HashMap<>();
    Stream.of(names).forEach(name -> entries.put(name, new byte[3]));
    return TorchFiles.zipOf(entries, ZipEntry.STORED);
  }

  /** A tar archive of members with no content but zeros. */
  private static byte[] tar(String mark, String... names) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (String name : names) {
      byte[] header = new byte[512];
      byte[] bytes = latin(name);
      System.arraycopy(bytes, 0, header, 0, bytes.length);
      System.arraycopy(latin("00000001000"), 0, header, 124, 11);
      System.arraycopy(latin(mark), 0, header, 257, mark.length());
      out.writeBytes(header);
      out.writeBytes(new byte[512]);
    }
    return out.toByteArray();
  }

  static Stream<Arguments> others() {
    String index = "{\"metadata\": {}, \"weight_map\": {\"a\": \"2.st\", \"b\": \"1.st\"}}";
    return Stream.of(
        Arguments.of(new byte[0], List.of("is empty")),
        Arguments.of(
            latin("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7\n"),
            List.of("Git LFS pointer", "git lfs pull")),
        Arguments.of(latin("\n <!DOCTYPE html><html>"), List.of("web page", "download")),
        Arguments.of(latin("<html lang=\"en\">"), List.of("web page")),
        Arguments.of(
            latin(index),
            List.of("is the index", "in 2 other files, \"1.st\", \"2.st\";", "save_file")),
        Arguments.of(latin("{\"name\": 1}"), List.of("is a JSON text without weights")),
        Arguments.of(latin("{\"weight_map\": " + "[".repeat(9999)), List.of("is a JSON text")),
        Arguments.of(latin("\u0089HDF\r\n\u001a\n12345678"), List.of("HDF5", "Keras", "ONNX")),
        Arguments.of(latin("\u001f\u008b\b12345678"), List.of("gzip", "gunzip")),
        Arguments.of(latin("BZh91AY&SY"), List.of("bzip2")),
        Arguments.of(latin("(\u00b5/\u00fd12345678"), List.of("zstd")),
        Arguments.of(latin("\u001c\0\0\0TFL3\0\0\0\0"), List.of("TensorFlow Lite", "tf2onnx")),
        Arguments.of(latin("\b\u0001\u0012\u0080\u0002\n1234"), List.of("SavedModel")),
        Arguments.of(latin("\u0093NUMPY\u0001\0v\0{'descr'"), List.of(".npy")),
        Arguments.of(latin("GGUF\3\0\0\0"), List.of("GGUF")),
        Arguments.of(latin("\b\7\u0012\7pytorch\u001a\5"), List.of("ONNX")),
        Arguments.of(
            latin("\u00ff\u00d8\u00ff\u00e0 JFIF"),
            List.of("no safetensors, PyTorch or ONNX", "ff d8 ff e0")),
        Arguments.of(new byte[] {7}, List.of("bytes 07")),
        Arguments.of(new byte[5000], List.of("00 00 00 00 00 00 00 00")),
        Arguments.of(tar("ustar", "weights", "other"), List.of("tar archive", "tar xf")),
        Arguments.of(
            tar("ustar", "sys_info", "pickle", "storages", "tensors"),
            List.of("PyTorch's first format", "torch.save(torch.load(file)")),
        Arguments.of(tar("ustar", "pickle", "storages"), List.of("PyTorch's first format")),
        Arguments.of(tar("", "storages", "pickle"), List.of("PyTorch's first format")),
        Arguments.of(zip("m/data.pkl", "m/constants.pkl", "m/code/x.py"), List.of("TorchScript")),
        Arguments.of(
            zip("config.json", "model.weights.h5", "metadata.json"), List.of("Keras", "ONNX")),
        Arguments.of(zip("a.npy", "b.npy"), List.of(".npz", "safetensors.numpy")),
        Arguments.of(zip("network.onnx"), List.of("zip file without a network", "unpack it")),
        Arguments.of(Arrays.copyOf(zip("m/data.pkl"), 40), List.of("without its end", "download")),
        Arguments.of(
            PickleWriter.pickle(
                Map.of(
                    "w",
                    new PickleWriter.Call(
                        new PickleWriter.Name("numpy.core.multiarray", "_reconstruct"),
                        new PickleWriter.Name("numpy", "ndarray")))),
            List.of("a pickle that torch.save did not write", "\"w\": a numpy.ndarray")),
        Arguments.of(latin("\u0080\u0004\u0095"), List.of("a pickle that torch.save did not")));
  }

  @ParameterizedTest
  @MethodSource("others")
  void areNamed(byte[] bytes, List<String> said) throws IOException {
    Path file = folder.resolve("network.pth.tar");
    Files.write(file, bytes);
    assertThatThrownBy(() -> Source.read(file))
        .isInstanceOf(CorruptFileException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageContainingAll(said.toArray(String[]::new));
  }

  @Test
  void foldersAreNamed() throws IOException {
    assertThatThrownBy(() -> Source.read(folder)).hasMessageContaining("is a folder; give");
    Files.createFile(folder.resolve("saved_model.pb"));
    assertThatThrownBy(() -> Source.read(folder)).hasMessageContaining("a TensorFlow SavedModel");
    assertThatThrownBy(() -> Source.read(folder.resolve("none")))
        .isInstanceOf(UnreadableFileException.class);
  }

  /** Tensors of types that are not read, and those without values, spoil nothing. */
  @Test
  void safetensorsOfOtherProgramsAreRead() throws IOException {
    String header =
        """
        {"mask":{"dtype":"BOOL","shape":[3],"data_offsets":[8,11]},
         "none":{"dtype":"F32","shape":[0,2],"data_offsets":[0,0]},
         "tiny":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[11,12]},
         "w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}\
        """;
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes =
        ByteBuffer.allocate(Long.BYTES + json.length + 12).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(json.length).put(json).putFloat(1.5f).putFloat(-2);
    Path file = folder.resolve("foreign");
    Files.write(file, bytes.array());
    Source source = Source.read(file);
    assertThat(source.tensors()).containsOnlyKeys("w");
    assertThat(source.tensors().get("w").floats()).containsExactly(1.5f, -2);
    assertThat(source.notes())
        .containsExactly(
            "left out tensors of type BOOL, or without values: \"mask\"",
            "left out tensors of type F32, or without values: \"none\"",
            "left out tensors of type F8_E4M3, or without values: \"tiny\"");
    bytes.put(8 + header.indexOf("8,11"), (byte) '7');
    Files.write(file, bytes.array());
    assertThatThrownBy(() -> Source.read(file)).hasMessageContaining("inside tensor \"w\"");
  }
}
