package org.hast4j.source;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.io.StoredTensor;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.model.Model;
import org.hast4j.source.onnx.OnnxSource;
import org.hast4j.source.torch.Description;
import org.hast4j.source.torch.TorchSource;

/**
 * What a file of a network holds.
 *
 * @param tensors by the file's names, or by the model's if the file carries a structure; in
 *     PyTorch's order, convolutions OIHW. Their values stay in the file until they are asked for
 * @param metadata free-form texts
 * @param model the structure, of a file that carries one in a form of its own, as ONNX does
 * @param notes what was read as something else than it says, or left out, for people
 */
public record Source(
    Path file,
    Map<String, StoredTensor> tensors,
    Map<String, String> metadata,
    Optional<Model> model,
    List<String> notes) {

  public Source {
    tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
    metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
    notes = List.copyOf(notes);
  }

  /**
   * Opens a file. What it is comes from its content, not from its name.
   *
   * @throws CorruptFileException if it is damaged, or nothing that holds a network
   * @throws UnreadableFileException if it cannot be read
   */
  public static Source read(Path file) {
    if (Files.isDirectory(file)) {
      throw new CorruptFileException(file, "is a folder" + wayOut(file));
    }
    return read(file, map(file));
  }

  /**
   * Reads the bytes of a file.
   *
   * @param file for messages, and to find what lies beside it
   */
  static Source read(Path file, MemorySegment bytes) {
    FileKind kind = FileKind.of(bytes);
    return switch (kind) {
      case SAFETENSORS -> safetensors(file, bytes);
      case ZIP -> TorchSource.zip(file, bytes);
      case PICKLE -> TorchSource.pickle(file, bytes);
      case ONNX -> OnnxSource.read(file, bytes);
      case EMPTY,
          GIT_LFS,
          HDF5,
          GZIP,
          COMPRESSED,
          OLD_TORCH_TAR,
          TAR,
          TENSORFLOW_LITE,
          SAVED_MODEL,
          NUMPY,
          GGUF,
          WEB_PAGE,
          JSON,
          UNKNOWN ->
          throw new CorruptFileException(file, kind.problem(bytes));
    };
  }

  /**
   * Whether a file is a safetensors file, whatever its name.
   *
   * @throws UnreadableFileException if it cannot be read
   */
  public static boolean isSafetensors(Path file) {
    return !Files.isDirectory(file) && FileKind.of(map(file)) == FileKind.SAFETENSORS;
  }

  private static String wayOut(Path folder) {
    if (Files.exists(folder.resolve("saved_model.pb"))) {
      return ", a TensorFlow SavedModel; export it to ONNX by tf2onnx";
    }
    if (Files.exists(folder.resolve("data.pkl"))) {
      return ", an unpacked PyTorch file; pack it again by zip -0 -r, with the folder in it";
    }
    return "; give the network's file in it";
  }

  private static MemorySegment map(Path file) {
    try (FileChannel channel = FileChannel.open(file)) {
      // The automatic arena unmaps the file once no tensor of it is in use.
      return channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), Arena.ofAuto());
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    }
  }

  private static Source safetensors(Path file, MemorySegment bytes) {
    Safetensors safetensors = Safetensors.readForeign(file, bytes);
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    safetensors.names().forEach(name -> tensors.put(name, safetensors.tensor(name)));
    Map<String, List<String>> omitted = new TreeMap<>();
    safetensors
        .omitted()
        .forEach((name, type) -> omitted.computeIfAbsent(type, _ -> new ArrayList<>()).add(name));
    List<String> notes = new ArrayList<>();
    omitted.forEach(
        (type, names) ->
            notes.add(
                "left out tensors of type %s, or without values: %s"
                    .formatted(Description.cleaned(type), Description.quoted(names))));
    return new Source(file, tensors, safetensors.metadata(), Optional.empty(), notes);
  }
}
