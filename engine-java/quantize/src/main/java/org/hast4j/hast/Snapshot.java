package org.hast4j.hast;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Map;
import java.util.regex.Pattern;
import org.hast4j.exec.Memory;
import org.hast4j.graph.Storage;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.io.SafetensorsWriter;
import org.hast4j.tensor.Shape;

/**
 * The memory a stage needs to go on, bit for bit, in a file. Every step is a function of that
 * memory, so a run that continues from a snapshot ends with the bytes of one that was never
 * interrupted.
 *
 * @param stage where the run stands
 * @param done units of the stage that are done
 * @param metricsBytes length of the metrics file at that moment
 */
record Snapshot(Stage stage, long done, long metricsBytes) {
  // Words on the Java heap at a time: a pool of large images would not fit there as a whole.
  private static final int PART = 1 << 20;

  /** What fits into a long. */
  private static final Pattern COUNT = Pattern.compile("\\d{1,18}");

  void write(Path file, Memory memory, Collection<Storage> state) {
    SafetensorsWriter writer =
        new SafetensorsWriter()
            .metadata("stage", stage.name())
            .metadata("done", Long.toString(done))
            .metadata("metrics_bytes", Long.toString(metricsBytes));
    put(writer, memory, state);
    writer.write(file);
  }

  /** Adds the memory to a file; it is read when the file is written. */
  static void put(SafetensorsWriter writer, Memory memory, Collection<Storage> state) {
    for (Storage storage : state) {
      int words = Math.toIntExact(storage.bytes() / Integer.BYTES);
      writer.putIntParts(
          storage.name(),
          Shape.of(words),
          PART,
          index -> {
            long start = (long) index * PART;
            int[] part = new int[(int) Math.min(PART, words - start)];
            memory.buffer(storage).download(start * Integer.BYTES, part);
            return part;
          });
    }
  }

  static Snapshot read(Path file) {
    Map<String, String> metadata = Safetensors.read(file).metadata();
    String name = metadata.get("stage");
    Stage stage =
        Arrays.stream(Stage.values())
            .filter(one -> one.name().equals(name))
            .findFirst()
            .orElseThrow(() -> new CorruptFileException(file, "it is not a checkpoint of a run"));
    return new Snapshot(
        stage, count(file, metadata, "done"), count(file, metadata, "metrics_bytes"));
  }

  /** A number of at least 0 in the metadata of a file. */
  static long count(Path file, Map<String, String> metadata, String key) {
    String text = metadata.getOrDefault(key, "");
    if (!COUNT.matcher(text).matches()) {
      throw new CorruptFileException(
          file, "its metadata %s is '%s', no count".formatted(key, text));
    }
    return Long.parseLong(text);
  }

  /** Puts the memory back. */
  static void restore(Path file, Memory memory, Collection<Storage> state) {
    Safetensors tensors = Safetensors.read(file);
    for (Storage storage : state) {
      Safetensors.Tensor tensor =
          tensors
              .find(storage.name())
              .orElseThrow(
                  () -> new CorruptFileException(file, "it lacks '" + storage.name() + "'"));
      long words = tensor.shape().elements();
      if (words != storage.bytes() / Integer.BYTES) {
        throw new CorruptFileException(
            file,
            "'%s' holds %d words instead of %d"
                .formatted(storage.name(), words, storage.bytes() / Integer.BYTES));
      }
      for (long start = 0; start < words; start += PART) {
        int[] part = tensor.ints(start, (int) Math.min(PART, words - start));
        memory.buffer(storage).upload(start * Integer.BYTES, part);
      }
    }
  }
}
