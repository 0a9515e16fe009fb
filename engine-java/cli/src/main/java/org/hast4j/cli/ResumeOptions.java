package org.hast4j.cli;

import java.time.Duration;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How a run survives, and what it tells. */
final class ResumeOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--resume",
      description = "Goes on with the run in the folder; it ends as if it had never stopped.")
  private boolean resume;

  @Option(
      names = "--checkpoint-every",
      paramLabel = "SECONDS",
      defaultValue = "60",
      description = "How much work a kill may cost; ${DEFAULT-VALUE} by default.")
  private double checkpointEvery;

  @Option(
      names = "--diagnose",
      description =
          "Also writes into the run's metrics what the optimisers do: every iteration of synthesis,"
              + " every layer of the student. Slower; no result depends on it.")
  private boolean diagnose;

  boolean diagnose() {
    return diagnose;
  }

  boolean resume() {
    return resume;
  }

  Duration checkpointEvery() {
    if (!(checkpointEvery >= 0 && checkpointEvery <= Integer.MAX_VALUE)) {
      throw new ParameterException(
          spec.commandLine(),
          "--checkpoint-every must be at least 0 seconds, got " + checkpointEvery);
    }
    return Duration.ofMillis((long) (checkpointEvery * 1000));
  }
}
