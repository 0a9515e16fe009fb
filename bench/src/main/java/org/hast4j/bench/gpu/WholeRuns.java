package org.hast4j.bench.gpu;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.hast4j.cifar.Cifar10;
import org.hast4j.cifar.Progress;
import org.hast4j.data.ImageSet;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.failure.UnavailableException;
import org.hast4j.hast.Accuracy;
import org.hast4j.hast.Event;
import org.hast4j.hast.Hast;
import org.hast4j.hast.Images;
import org.hast4j.hast.Job;
import org.hast4j.hast.Listener;
import org.hast4j.hast.Recipe;
import org.hast4j.hast.Run;
import org.hast4j.io.Sha256;
import org.hast4j.kernel.Precision;
import org.hast4j.model.Bits;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;
import org.hast4j.zoo.NetworkReader;

/** Whole runs: how long they take by the clock, and what accuracy they reach. */
final class WholeRuns {
  private static final String NETWORK = "cifar10-resnet20-b.safetensors";
  private static final String RESOURCE = "/org/hast4j/models/" + NETWORK;
  // The paper's budget with fine-tuning in batches of 64, as its code has it, and of 256.
  private static final List<String> PAPER_SIZED = List.of("released", "paper");
  private static final List<Integer> BITS = List.of(4, 3);
  // One run needs no checkpoints along the way.
  private static final Duration NEVER = Duration.ofDays(1);

  private final Target target;
  private final Sizes sizes;
  private final Budget budget;
  private final Report report;

  WholeRuns(Target target, Sizes sizes, Budget budget, Report report) {
    this.target = target;
    this.sizes = sizes;
    this.budget = budget;
    this.report = report;
  }

  /** CIFAR-10 runs of the paper's size on the network that comes with the program. */
  void paperSized() {
    inFolder(
        folder -> {
          Path network = folder.resolve(NETWORK);
          try (InputStream in = Hast.class.getResourceAsStream(RESOURCE)) {
            if (in == null) {
              throw new UnavailableException("this build lacks " + RESOURCE);
            }
            Files.copy(in, network);
          }
          for (String recipe : PAPER_SIZED) {
            if (budget.isSpent()) {
              report.leftOut("the whole run of recipe " + recipe);
              continue;
            }
            report.add(run(network, recipe, BITS.getFirst(), 1, folder, Optional.empty()));
          }
        });
  }

  /**
   * Accuracy on CIFAR-10's test images.
   *
   * @param weights folder of networks, safetensors files
   * @param data the archive of CIFAR-10's binary version, or a folder that holds it
   */
  void accuracy(Path weights, Path data, List<String> recipes, List<Long> seeds) {
    inFolder(
        folder -> {
          ImageSet images = testImages(data, folder);
          for (String recipe : recipes) {
            for (Path network : networks(weights)) {
              for (int bits : BITS) {
                for (long seed : seeds) {
                  if (budget.isSpent()) {
                    report.leftOut(
                        "accuracy from %s, %s, %d bits, seed %d on"
                            .formatted(network.getFileName(), recipe, bits, seed));
                    return;
                  }
                  report.add(
                      run(
                          network,
                          recipe,
                          bits,
                          seed,
                          folder,
                          Optional.of(new Hast.Test(images, Set.of()))));
                }
              }
            }
          }
        });
  }

  /** Training images are five times as many, and not needed: a cache without them will do. */
  private static ImageSet testImages(Path data, Path folder) {
    Cifar10 given = new Cifar10(data);
    if (given.available(Cifar10.Split.TEST)) {
      return given.load(Cifar10.Split.TEST);
    }
    Cifar10 cifar = new Cifar10(folder.resolve("cifar10"));
    cifar.obtain(Optional.of(data), Progress.SILENT);
    return cifar.load(Cifar10.Split.TEST);
  }

  private static List<Path> networks(Path weights) throws IOException {
    try (Stream<Path> files = Files.list(weights)) {
      return files.filter(file -> file.toString().endsWith(".safetensors")).sorted().toList();
    }
  }

  private Results.Run run(
      Path file, String recipe, int bits, long seed, Path folder, Optional<Hast.Test> test) {
    // The precision a user gets.
    Precision precision = target.precisions().getFirst();
    String name = file.getFileName().toString();
    try (OpenDevice device = target.open(target.usual(precision))) {
      Network network = NetworkReader.read(file);
      Job job =
          new Job(
              network,
              Sha256.of(file),
              new Scheme(new Bits(bits, bits)),
              Recipe.read(recipe, sizes.recipe()),
              new Images.Synthesized(),
              seed);
      StageClock clock = new StageClock();
      Hast.Result result =
          new Run(device, clock, NEVER)
              .quantize(
                  job,
                  folder.resolve("%s-%s-%d-%d".formatted(name, recipe, bits, seed)),
                  false,
                  test);
      return new Results.Run(
          name,
          recipe,
          bits,
          seed,
          precision,
          clock.seconds,
          result.fullPrecision().map(Accuracy::top1).orElse(null),
          result.rounded().map(Accuracy::top1).orElse(null),
          result.fineTuned().map(Accuracy::top1).orElse(null),
          "");
    } catch (RuntimeException e) {
      return new Results.Run(
          name, recipe, bits, seed, precision, Map.of(), null, null, null, Measurements.message(e));
    }
  }

  /**
   * What each stage takes by the clock, with what prepares it and the evaluation that ends it. An
   * event comes after the device has finished what it tells of; progress may come before.
   */
  private static final class StageClock implements Listener {
    final Map<String, Double> seconds = new LinkedHashMap<>();
    private long heard = System.nanoTime();

    @Override
    public void event(Event event) {
      long now = System.nanoTime();
      String stage = event.stage().name().toLowerCase(Locale.ROOT).replace('_', '-');
      seconds.merge(stage, (now - heard) * 1e-9, Double::sum);
      heard = now;
    }
  }

  @FunctionalInterface
  private interface FolderUse {
    void use(Path folder) throws IOException;
  }

  /** Gives work a folder that is removed afterwards. */
  private static void inFolder(FolderUse work) {
    try {
      Path folder = Files.createTempDirectory("hast-bench");
      try {
        work.use(folder);
      } finally {
        try (Stream<Path> tree = Files.walk(folder)) {
          for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
            Files.delete(path);
          }
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
