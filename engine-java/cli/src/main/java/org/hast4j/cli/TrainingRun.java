package org.hast4j.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.hast4j.cifar.Cifar10;
import org.hast4j.data.ImageSet;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.failure.RefusedException;
import org.hast4j.hast.Evaluation;
import org.hast4j.hast.Training;
import org.hast4j.io.Sha256;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.nn.Checkpoint;

/**
 * One full-precision training from its start, or from where it stopped, to its report. Beside the
 * network's file stands another with what it takes to go on, until the training is done.
 */
record TrainingRun(
    Model model,
    Normalization normalization,
    Training.Schedule schedule,
    long seed,
    Path out,
    boolean half,
    boolean resume) {

  /** What an epoch came to. */
  private record Epoch(int number, double loss, double accuracy) {
    Map<String, Object> json() {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("epoch", number);
      json.put("loss", loss);
      json.put("accuracy", accuracy);
      return json;
    }
  }

  private Path progress() {
    return out.resolveSibling(out.getFileName() + ".training");
  }

  void run(DeviceOptions options, CifarImages images, Reporter reporter) {
    checkPlace();
    if (!resume && (Files.exists(out) || Files.exists(progress()))) {
      throw new RefusedException(
          out + " holds a training already: continue it with --resume, or choose another file");
    }
    if (resume && Files.exists(out) && !Files.exists(progress())) {
      throw new RefusedException("nothing to resume: the training of " + out + " is done");
    }
    ImageSet test = images.obtained(Cifar10.Split.TEST);
    ImageSet train = images.obtained(Cifar10.Split.TRAIN);
    long began = System.nanoTime();
    List<Epoch> done;
    try (OpenDevice device = options.open();
        Training training = new Training(device, model, train, normalization, schedule, seed);
        Evaluation evaluation = training.evaluation();
        Interruption _ =
            new Interruption(
                reporter,
                false,
                "stopped: the same command with --resume goes on from the last epoch")) {
      done = epochs(training, evaluation, test, reporter);
    }
    report(done, Duration.ofNanos(System.nanoTime() - began), reporter);
  }

  /** The file comes after the first epoch: too late to learn that there is no place for it. */
  private void checkPlace() {
    Path folder = out.toAbsolutePath().getParent();
    String problem =
        Files.isDirectory(out)
            ? "it is a folder: name a file"
            : !Files.isDirectory(folder)
                ? "the folder " + folder + " does not exist; create it first"
                : !Files.isWritable(folder)
                    ? "no permission to write in " + folder + "; choose another folder"
                    : null;
    if (problem != null) {
      throw new RefusedException("cannot write " + out + ": " + problem);
    }
  }

  private List<Epoch> epochs(
      Training training, Evaluation evaluation, ImageSet test, Reporter reporter) {
    if (resume && Files.exists(progress())) {
      training.restore(progress());
    }
    List<Epoch> done = new ArrayList<>();
    int first = Math.toIntExact(training.step() / training.stepsPerEpoch());
    long steps = (long) schedule.epochs() * training.stepsPerEpoch();
    try (Meter meter = reporter.meter("training", Meter.Unit.STEPS, training.step(), steps)) {
      for (int epoch = first + 1; epoch <= schedule.epochs(); epoch++) {
        double loss = training.epoch((step, _, _) -> meter.at(step));
        training.save(progress());
        write(training);
        double accuracy = evaluation.accuracy(test, normalization, _ -> {}).top1();
        done.add(new Epoch(epoch, loss, accuracy));
        reporter.note(
            "epoch %d/%d: loss %.4f, test accuracy %.2f %%"
                .formatted(epoch, schedule.epochs(), loss, accuracy));
      }
    }
    // A training may have been stopped between its last step and the file.
    write(training);
    finish();
    return done;
  }

  private void write(Training training) {
    if (half) {
      Checkpoint.writeHalf(out, training.network());
    } else {
      Checkpoint.write(out, training.network());
    }
  }

  private void finish() {
    try {
      Files.delete(progress());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot delete " + progress() + ": " + e, e);
    }
  }

  private void report(List<Epoch> done, Duration time, Reporter reporter) {
    String result =
        done.isEmpty()
            ? "trained before"
            : "%.2f %% test accuracy".formatted(done.getLast().accuracy());
    reporter.line(
        "%s, %s: %s, %d epochs in %s"
            .formatted(out, model.name(), result, done.size(), Meter.text(time)));
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("file", out.toString());
    json.put("sha256", Sha256.of(out));
    json.put("topology", model.name());
    json.put("seed", seed);
    json.put("epochs", done.stream().map(Epoch::json).toList());
    json.put("seconds", time.toMillis() / 1000.0);
    reporter.result(json);
  }
}
