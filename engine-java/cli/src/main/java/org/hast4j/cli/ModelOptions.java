package org.hast4j.cli;

import java.nio.file.Path;
import java.util.Optional;
import org.hast4j.model.ModelDescription;
import org.hast4j.nn.Checkpoint;
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

  Optional<ModelDescription> given() {
    return Optional.ofNullable(file).map(Checkpoint::description);
  }
}
