package org.hast4j.cli;

import java.time.Duration;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What decides a run's random numbers, and how it survives. */
final class RunOptions {
  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Decides every random number; ${DEFAULT-VALUE} by default.")
  private long seed;

  @Mixin private ResumeOptions resume;

  long seed() {
    return seed;
  }

  boolean resume() {
    return resume.resume();
  }

  Duration checkpointEvery() {
    return resume.checkpointEvery();
  }

  boolean diagnose() {
    return resume.diagnose();
  }
}
