package org.hast4j.cli;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.hast4j.nn.Checkpoint;
import org.hast4j.zoo.Given;
import picocli.CommandLine.Option;

/** What a network's structure is, where its file does not say it. */
final class ModelOptions {
  @Option(
      names = "--model",
      paramLabel = "JSON",
      description =
          "The network's structure in a file of its own, for a network of no known family;"
              + " docs/format.md has the format. The network's file then has the tensors.")
  private Path file;

  @Option(
      names = "--assume",
      split = ",",
      paramLabel = "WORD=VALUE",
      hideParamSyntax = true,
      description =
          "What a file without a structure cannot say, in place of what is assumed, and said, at"
              + " the start: size, epsilon, padding, activation, strides, ..")
  private Map<String, String> settings = Map.of();

  @Option(
      names = "--drop-extra",
      description = "Leaves out tensors that do not belong to the network.")
  private boolean dropExtra;

  Given given(PreprocessingOptions preprocessing) {
    return new Given(
        Optional.ofNullable(file).map(Checkpoint::description),
        preprocessing.normalization(),
        preprocessing.resize(),
        settings,
        dropExtra);
  }
}
