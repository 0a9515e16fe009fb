package org.hast4j.bench.gpu;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.hast4j.bench.gpu.DeviceTimer.Timing;
import org.hast4j.kernel.Precision;

/** Everything measured so far. A measurement that failed has no value, and says why. */
final class Results {
  /** Where, when and of what. */
  record Origin(
      String date, String commit, String command, String device, String java, boolean tiny) {}

  /**
   * An iteration of a loop.
   *
   * @param stage synthesis or fine-tuning
   * @param launches kernels and copies of an iteration
   * @param peakMebibytes of device memory
   */
  record Iteration(
      String stage,
      String network,
      int batch,
      Target.Mode mode,
      Long launches,
      Double peakMebibytes,
      Timing timing,
      String failure) {}

  /**
   * A memory-bound kernel beside a copy on the device that moves as many bytes.
   *
   * @param bytes that a launch must move
   */
  record Kernel(String kernel, Long bytes, Timing timing, Timing copy, String failure) {
    double gigabytesPerSecond() {
      return bytes / timing.median() / 1e6;
    }

    double copyGigabytesPerSecond() {
      return bytes / copy.median() / 1e6;
    }
  }

  /**
   * A convolution.
   *
   * @param flops by the textbook count
   * @param uses in the network
   */
  record Convolution(
      String direction,
      String shape,
      int batch,
      Precision precision,
      long flops,
      int uses,
      Timing timing,
      String failure) {}

  /**
   * A whole run.
   *
   * @param seconds of each stage by the clock
   * @param fullPrecision accuracy in percent, as the next two; null without test images
   */
  record Run(
      String network,
      String recipe,
      int bits,
      long seed,
      Precision precision,
      Map<String, Double> seconds,
      Double fullPrecision,
      Double rounded,
      Double fineTuned,
      String failure) {}

  /** An iteration of the peer, as it reports it. */
  record PeerIteration(
      @JsonProperty("case") String stage,
      String network,
      int batch,
      String variant,
      String precision,
      Double milliseconds,
      String torch,
      String device,
      String reason) {}

  final Origin origin;
  final List<Iteration> iterations = new ArrayList<>();
  final List<Kernel> kernels = new ArrayList<>();
  final List<Convolution> convolutions = new ArrayList<>();
  final List<Run> runs = new ArrayList<>();
  final List<PeerIteration> peers = new ArrayList<>();

  /** What was left out, and why. */
  final List<String> notes = new ArrayList<>();

  Results(Origin origin) {
    this.origin = origin;
  }

  /** Whether anything of ours that was begun failed; the peer is not ours. */
  boolean failed() {
    return Stream.of(
            iterations.stream().map(Iteration::failure),
            kernels.stream().map(Kernel::failure),
            convolutions.stream().map(Convolution::failure),
            runs.stream().map(Run::failure))
        .flatMap(failures -> failures)
        .anyMatch(failure -> !failure.isEmpty());
  }
}
