package org.hast4j.hast;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
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
 * @param rounded how good the student was straight after rounding, once it is
 * @param fineTuned how good it was in the end, once that is there
 */
record Snapshot(Stage stage, long done, Optional<Score> rounded, Optional<Score> fineTuned) {
  /** Before anything is done. */
  static final Snapshot START =
      new Snapshot(Stage.SYNTHESIS, 0, Optional.empty(), Optional.empty());

  private static final String ROUNDED = "rounded_";
  private static final String FINE_TUNED = "fine_tuned_";
  private static final String ACCURACY = "accuracy";
  private static final String TOP5 = "top5";
  private static final String AGREEMENT = "agreement";

  // Words on the Java heap at a time: a data set of large images would not fit there as a whole.
  private static final int PART = 1 << 20;

  /** What fits into a long. */
  private static final Pattern COUNT = Pattern.compile("\\d{1,18}");

  private static final Pattern PERCENT = Pattern.compile("\\d{1,3}\\.\\d{1,17}(E-\\d{1,3})?");

  /**
   * @param metricsBytes length of the metrics file at this moment
   */
  void write(Path file, Memory memory, Collection<Storage> state, long metricsBytes) {
    SafetensorsWriter writer =
        new SafetensorsWriter()
            .metadata("stage", stage.name())
            .metadata("done", Long.toString(done))
            .metadata("metrics_bytes", Long.toString(metricsBytes));
    rounded.ifPresent(score -> put(writer, ROUNDED, score));
    fineTuned.ifPresent(score -> put(writer, FINE_TUNED, score));
    put(writer, memory, state);
    writer.write(file);
  }

  private static void put(SafetensorsWriter writer, String prefix, Score score) {
    score
        .accuracy()
        .ifPresent(
            value -> {
              writer.metadata(prefix + ACCURACY, Double.toString(value.top1()));
              value.top5().ifPresent(top5 -> writer.metadata(prefix + TOP5, Double.toString(top5)));
            });
    writer.metadata(prefix + AGREEMENT, Double.toString(score.agreement()));
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
    Optional<Score> rounded = score(file, metadata, ROUNDED);
    Optional<Score> fineTuned = score(file, metadata, FINE_TUNED);
    if (rounded.isPresent() != stage.compareTo(Stage.CALIBRATION) > 0
        || fineTuned.isPresent() != (stage == Stage.DONE)) {
      throw new CorruptFileException(
          file,
          "it stands in stage %s without what was measured before, or with what comes later"
              .formatted(stage));
    }
    return new Snapshot(stage, count(file, metadata, "done"), rounded, fineTuned);
  }

  /** Length of the metrics file at a snapshot. */
  static long metricsBytes(Path file) {
    return count(file, Safetensors.read(file).metadata(), "metrics_bytes");
  }

  private static Optional<Score> score(Path file, Map<String, String> metadata, String prefix) {
    return percent(file, metadata, prefix + AGREEMENT)
        .map(
            agreement ->
                new Score(
                    percent(file, metadata, prefix + ACCURACY)
                        .map(top1 -> new Accuracy(top1, percent(file, metadata, prefix + TOP5))),
                    agreement));
  }

  private static Optional<Double> percent(Path file, Map<String, String> metadata, String key) {
    String text = metadata.get(key);
    if (text == null) {
      return Optional.empty();
    }
    if (!PERCENT.matcher(text).matches() || Double.parseDouble(text) > 100) {
      throw new CorruptFileException(
          file, "its metadata %s is '%s', no percentage".formatted(key, text));
    }
    return Optional.of(Double.valueOf(text));
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
