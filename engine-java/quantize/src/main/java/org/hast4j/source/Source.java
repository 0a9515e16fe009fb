package org.hast4j.source;

import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.io.StoredTensor;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.model.Model;

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
    Safetensors safetensors = Safetensors.read(file);
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    safetensors.names().forEach(name -> tensors.put(name, safetensors.tensor(name)));
    return new Source(file, tensors, safetensors.metadata(), Optional.empty(), List.of());
  }
}
