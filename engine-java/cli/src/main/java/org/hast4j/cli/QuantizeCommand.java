package org.hast4j.cli;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.hast4j.cifar.Cifar10;
import org.hast4j.hast.Hast;
import org.hast4j.hast.Images;
import org.hast4j.hast.Job;
import org.hast4j.hast.Recipe;
import org.hast4j.hast.RunSpec;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Scheme;
import org.hast4j.picture.LabeledFiles;
import org.hast4j.picture.PictureSet;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code hast quantize}. */
@Command(
    name = "quantize",
    customSynopsis = "hast quantize NETWORK --bits W4A4 [OPTION]..",
    sortOptions = false,
    parameterListHeading = "%n",
    optionListHeading = "%n",
    description = {
      "Quantises a trained network without its data.",
      "The run's folder gets quantised.safetensors, the images, the metrics, what it takes to"
          + " resume, and spec.json, which `hast run` repeats anywhere."
    })
final class QuantizeCommand implements Runnable {
  private static final String SPEC = "spec.json";

  @Parameters(
      paramLabel = "NETWORK",
      description =
          "Trained network: safetensors, a PyTorch file or ONNX. docs/networks.md has the families"
              + " whose structure is known from their tensors.")
  private Path network;

  @Option(
      names = "--bits",
      required = true,
      paramLabel = "W4A4",
      converter = BitsConverter.class,
      description = "Bits of weights (W2 to W8) and activations (A2 to A8).")
  private Bits bits;

  @Mixin private LayerBitsOptions layerBits;

  @Option(
      names = "--out",
      paramLabel = "RUN_DIR",
      description = "Folder of the run; runs/<network>-<bits> by default.")
  private Path out;

  @Mixin private RunOptions run;
  @Mixin private RecipeOptions recipe;

  @ArgGroup private ImageChoice choice;

  /** Images from elsewhere. */
  static final class ImageChoice {
    @Option(
        names = "--images",
        split = ",",
        paramLabel = "FILE",
        hideParamSyntax = true,
        description =
            "Fine-tunes on the images of an earlier synthesis instead of new ones; several files"
                + " with commas between them.")
    private List<Path> stored = List.of();

    @Option(
        names = "--real-images",
        arity = "0..1",
        fallbackValue = "",
        paramLabel = "DIR",
        description =
            "Fine-tunes on real images: those in a folder (JPEG, PNG), which need no labels, or,"
                + " without a folder, CIFAR-10's training images with theirs, the upper bound to"
                + " compare with.")
    private String real;

    Images images(NetworkFile source, Reporter reporter) {
      Model model = source.network().model();
      if (!stored.isEmpty()) {
        return new Images.Stored(stored);
      }
      if (!real.isEmpty()) {
        PictureSet pictures =
            TestSet.pictures(LabeledFiles.unlabeled(Path.of(real)), source.network());
        return new Images.Real(TestSet.decoded(real, pictures, reporter), false);
      }
      CifarImages.check(model);
      return new Images.Real(new CifarImages(reporter).obtained(Cifar10.Split.TRAIN), true);
    }
  }

  @Mixin private TestOptions test;
  @Mixin private ModelOptions model;
  @Mixin private PreprocessingOptions preprocessing;
  @Mixin private DeviceOptions device;
  @Mixin private Reporter reporter;

  @Override
  public void run() {
    recipe.check();
    Duration interval = run.checkpointEvery();
    NetworkFile source = NetworkFile.readFloat(network, model.given(preprocessing));
    Recipe chosen = recipe.read(source.network().model().input());
    Scheme scheme = layerBits.scheme(source.network().model(), bits);
    Path folder = out != null ? out : QuantizationRun.defaultFolder(source, scheme);
    Images images = choice == null ? new Images.Synthesized() : choice.images(source, reporter);
    Optional<Hast.Test> followed = test.of(source.network(), chosen.fineTuning().steps(), reporter);
    Job job = source.job(scheme, chosen, images, run.seed());
    new QuantizationRun(
            source,
            job,
            folder,
            run.resume(),
            interval,
            run.diagnose(),
            followed,
            QuantizationRun.resumable(folder))
        .run(device, reporter);
    switch (images) {
      case Images.Synthesized _ -> spec(job, List.of()).write(folder.resolve(SPEC));
      case Images.Stored files -> spec(job, files.files()).write(folder.resolve(SPEC));
      case Images.Real _ -> {
        // There is no file to name.
      }
    }
  }

  private RunSpec spec(Job job, List<Path> images) {
    return new RunSpec(
        network.toAbsolutePath(),
        job.sourceSha256(),
        model.given(preprocessing),
        job.scheme(),
        job.recipe(),
        images.stream().map(Path::toAbsolutePath).toList(),
        job.seed());
  }
}
