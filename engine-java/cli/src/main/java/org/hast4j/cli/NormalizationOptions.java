package org.hast4j.cli;

import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Normalization;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How a network's input is normalised, where its file does not say it. */
final class NormalizationOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--mean",
      split = ",",
      paramLabel = "R,G,B",
      hideParamSyntax = true,
      description =
          "Mean of the network's input per channel, in units of v/255; the file's by default.")
  private float[] mean;

  @Option(
      names = "--std",
      split = ",",
      paramLabel = "R,G,B",
      hideParamSyntax = true,
      description = "Its standard deviation.")
  private float[] std;

  Optional<Normalization> given() {
    if (mean == null && std == null) {
      return Optional.empty();
    }
    if (mean == null || std == null) {
      throw new ParameterException(spec.commandLine(), "--mean and --std go together");
    }
    try {
      return Optional.of(new Normalization(mean, std));
    } catch (RefusedException e) {
      throw new ParameterException(spec.commandLine(), "--mean, --std: " + e.getMessage(), e);
    }
  }
}
