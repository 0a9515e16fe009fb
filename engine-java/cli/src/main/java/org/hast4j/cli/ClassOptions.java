package org.hast4j.cli;

import java.nio.file.Path;
import java.util.Optional;
import org.hast4j.nn.Network;
import org.hast4j.picture.ClassNames;
import picocli.CommandLine.Option;

/** What the classes of a network are called where test images lie in folders of such names. */
final class ClassOptions {
  @Option(
      names = "--classes",
      paramLabel = "FILE",
      description =
          "Names of the classes: line n begins with what the folder of class n - 1 is called. By"
              + " default those in the network's file, else the folders in their order.")
  private Path file;

  /** The names given, or else those that the network brings along. */
  Optional<ClassNames> names(Network network) {
    if (file != null) {
      return Optional.of(ClassNames.read(file, network.model().classes()));
    }
    return network.classNames().isEmpty()
        ? Optional.empty()
        : Optional.of(ClassNames.of("the network's file", network.classNames()));
  }
}
