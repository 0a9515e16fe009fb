package org.hast4j.cli;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.hast4j.cifar.Cifar10;
import org.hast4j.cifar.DataUnavailableException;
import org.hast4j.failure.UnavailableException;
import org.hast4j.hast.Hast;
import org.hast4j.hast.Images;
import org.hast4j.hast.Recipe;
import org.hast4j.io.AtomicFile;
import org.hast4j.model.Bits;
import org.hast4j.model.Scheme;
import org.hast4j.zoo.Given;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code hast demo}. */
@Command(
    name = "demo",
    sortOptions = false,
    parameterListHeading = "%n",
    optionListHeading = "%n",
    description = {
      "Shows the whole method in minutes: quantises a ResNet-20 for CIFAR-10 that comes with the"
          + " program to 4 bits.",
      "CIFAR-10's test images are fetched to measure accuracy, if they can be; the method itself"
          + " needs no data."
    })
final class DemoCommand implements Runnable {
  private static final String NETWORK = "cifar10-resnet20-b.safetensors";
  private static final String RESOURCE = "/org/hast4j/models/" + NETWORK;
  private static final Scheme SCHEME = new Scheme(new Bits(4, 4));
  private static final long SEED = 1;
  private static final Duration CHECKPOINT_EVERY = Duration.ofMinutes(1);

  @Option(
      names = "--keep",
      paramLabel = "RUN_DIR",
      description = "Keeps the run in this folder, and goes on with the run that is there.")
  private Path keep;

  @Mixin private DeviceOptions device;
  @Mixin private Reporter reporter;

  @Override
  public void run() {
    try (TemporaryFolder temporary = new TemporaryFolder("hast-demo")) {
      Path network = temporary.path().resolve(NETWORK);
      extract(network);
      NetworkFile source = NetworkFile.readFloat(network, Given.NOTHING);
      new QuantizationRun(
              source,
              source.job(SCHEME, Recipe.read("quick", Map.of()), new Images.Synthesized(), SEED),
              keep == null ? temporary.path().resolve("run") : keep,
              true,
              CHECKPOINT_EVERY,
              false,
              test(),
              keep == null ? "" : ": the same command goes on from " + keep)
          .run(device, reporter);
    }
  }

  private static void extract(Path target) {
    try (InputStream in = DemoCommand.class.getResourceAsStream(RESOURCE)) {
      if (in == null) {
        throw new UnavailableException(
            "this build does not hold the demonstration's network ("
                + RESOURCE
                + "): use `hast quantize` with a network of your own");
      }
      AtomicFile.write(target, in::transferTo);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read the demonstration's network: " + e, e);
    }
  }

  private Optional<Hast.Test> test() {
    try {
      return Optional.of(
          new Hast.Test(new CifarImages(reporter).obtained(Cifar10.Split.TEST), Set.of()));
    } catch (DataUnavailableException e) {
      reporter.note(e.getMessage());
      reporter.note("Going on without it: agreement with the original instead of accuracy.");
      return Optional.empty();
    }
  }
}
