package org.hast4j.cli;

import java.nio.file.Path;
import java.util.Set;
import java.util.function.Predicate;
import org.hast4j.cifar.Cifar10;
import org.hast4j.data.ImageSet;
import org.hast4j.failure.RefusedException;
import org.hast4j.hast.Images;
import org.hast4j.hast.Recipe;
import org.hast4j.hast.Training;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Normalization;
import org.hast4j.model.Scheme;
import org.hast4j.zoo.Topologies;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code hast train}. */
@Command(
    name = "train",
    customSynopsis = {
      "hast train --out FILE.safetensors [OPTION]..",
      "       hast train --quantize W4A4 --from NETWORK [OPTION].."
    },
    sortOptions = false,
    optionListHeading = "%n",
    description = {
      "Trains on CIFAR-10's real images.",
      "Alone, it trains a full-precision network from random weights. With --quantize, it"
          + " fine-tunes a quantised copy of a trained network as quantize does, on real images"
          + " instead of synthetic ones: the yardstick for quantisation without data."
    })
final class TrainCommand implements Runnable {
  private static final int PAD = 4;
  private static final Set<String> FULL_PRECISION =
      Set.of(
          "--topology",
          "--epochs",
          "--batch",
          "--learning-rate",
          "--weight-decay",
          "--warmup",
          "--half");
  private static final Set<String> SHARED =
      Set.of(
          "--out",
          "--seed",
          "--resume",
          "--mean",
          "--std",
          "--device",
          "--threads",
          "--precision",
          "--conv",
          "--json",
          "--stacktrace");

  @Spec private CommandSpec spec;

  @Option(
      names = "--out",
      paramLabel = "PATH",
      description =
          "The network's file, written after each epoch; with --quantize the run's folder,"
              + " runs/<network>-<bits>-real by default.")
  private Path out;

  @Option(
      names = "--topology",
      defaultValue = "cifar-resnet20-b",
      description = "cifar-resnet{20,32,44,56,..}-{a,b}; ${DEFAULT-VALUE} by default.")
  private String topology;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      defaultValue = "30",
      description = "${DEFAULT-VALUE} by default.")
  private int epochs;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "128",
      description = "Images per step; ${DEFAULT-VALUE} by default.")
  private int batch;

  @Option(
      names = "--learning-rate",
      paramLabel = "X",
      defaultValue = "0.2",
      description = "Its peak; ${DEFAULT-VALUE} by default.")
  private float learningRate;

  @Option(
      names = "--weight-decay",
      paramLabel = "X",
      defaultValue = "5e-4",
      description = "${DEFAULT-VALUE} by default.")
  private float weightDecay;

  @Option(
      names = "--warmup",
      paramLabel = "X",
      defaultValue = "0.2",
      description = "Share of the steps that raise the learning rate; ${DEFAULT-VALUE} by default.")
  private float warmup;

  @Option(names = "--half", description = "Writes float16 weights: half the size.")
  private boolean half;

  @Option(
      names = "--quantize",
      paramLabel = "W4A4",
      converter = BitsConverter.class,
      description = "Quantisation-aware fine-tuning at these bit widths.")
  private Bits bits;

  @Option(
      names = "--from",
      paramLabel = "NETWORK",
      description = "With --quantize: the trained network.")
  private Path from;

  @Mixin private RunOptions run;
  @Mixin private RecipeOptions recipe;
  @Mixin private TestOptions test;
  @Mixin private PreprocessingOptions preprocessing;
  @Mixin private DeviceOptions device;
  @Mixin private Reporter reporter;

  @Override
  public void run() {
    if (bits == null) {
      refuse(name -> !FULL_PRECISION.contains(name) && !SHARED.contains(name), "needs --quantize");
      train();
    } else {
      refuse(FULL_PRECISION::contains, "does not go with --quantize");
      quantize();
    }
  }

  private void refuse(Predicate<String> foreign, String why) {
    for (OptionSpec option : spec.commandLine().getParseResult().matchedOptions()) {
      if (foreign.test(option.longestName())) {
        throw misuse(option.longestName() + " " + why);
      }
    }
  }

  private ParameterException misuse(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  private void quantize() {
    if (from == null) {
      throw misuse("--quantize needs --from NETWORK");
    }
    recipe.calibrateOnImages();
    recipe.check();
    NetworkFile source = NetworkFile.readFloat(from, preprocessing.given());
    Recipe chosen = recipe.read(source.network().model().input());
    CifarImages.check(source.network().model());
    ImageSet images = new CifarImages(reporter).obtained(Cifar10.Split.TRAIN);
    Scheme scheme = new Scheme(bits);
    Path folder =
        out != null ? out : Path.of(QuantizationRun.defaultFolder(source, scheme) + "-real");
    new QuantizationRun(
            source,
            source.job(scheme, chosen, new Images.Real(images, true), run.seed()),
            folder,
            run.resume(),
            run.checkpointEvery(),
            run.diagnose(),
            test.of(source.network(), chosen.fineTuning().steps(), reporter),
            QuantizationRun.resumable(folder))
        .run(device, reporter);
  }

  private void train() {
    if (out == null) {
      throw misuse("--out FILE.safetensors is missing");
    }
    Model chosen = model();
    CifarImages.check(chosen);
    new TrainingRun(
            chosen,
            preprocessing.normalization().orElse(Normalization.CIFAR10),
            schedule(),
            run.seed(),
            out,
            half,
            run.resume())
        .run(device, new CifarImages(reporter), reporter);
  }

  private Model model() {
    try {
      return Topologies.named(topology);
    } catch (RefusedException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private Training.Schedule schedule() {
    if (epochs < 1 || batch < 1 || batch > Cifar10.Split.TRAIN.images()) {
      throw misuse("--epochs and --batch must be at least 1, and a batch at most all images");
    }
    if (!(learningRate > 0 && weightDecay >= 0 && warmup >= 0 && warmup <= 1)
        || Float.isInfinite(learningRate)
        || Float.isInfinite(weightDecay)) {
      throw misuse(
          "--learning-rate must be above 0, --weight-decay at least 0, and --warmup between 0 and"
              + " 1");
    }
    return new Training.Schedule(epochs, batch, learningRate, warmup, weightDecay, PAD);
  }
}
