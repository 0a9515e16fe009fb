package org.hast4j.cli;

import java.nio.file.Path;
import java.time.Duration;
import org.hast4j.cifar.Cifar10;
import org.hast4j.hast.Images;
import org.hast4j.hast.Recipe;
import org.hast4j.model.Bits;
import org.hast4j.model.Scheme;
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
      "The run's folder gets quantised.safetensors, the images, the metrics, and what it takes to"
          + " resume."
    })
final class QuantizeCommand implements Runnable {
  @Parameters(
      paramLabel = "NETWORK",
      description =
          "Trained network in a safetensors file with PyTorch's or pytorchcv's tensor names: a"
              + " ResNet for CIFAR or ImageNet, a MobileNetV1 (of pytorchcv), or a MobileNetV2 (of"
              + " torchvision; of pytorchcv at width 1 only).")
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
        paramLabel = "FILE",
        description = "Fine-tunes on the images of an earlier synthesis instead of new ones.")
    private Path stored;

    @Option(
        names = "--real-images",
        description = "Fine-tunes on CIFAR-10's training images: the upper bound to compare with.")
    private boolean real;

    Images images(NetworkFile source, Reporter reporter) {
      if (stored != null) {
        return new Images.Stored(stored);
      }
      CifarImages.check(source.network().model());
      return new Images.Real(new CifarImages(reporter).obtained(Cifar10.Split.TRAIN));
    }
  }

  @Mixin private TestOptions test;
  @Mixin private ModelOptions model;
  @Mixin private NormalizationOptions normalization;
  @Mixin private DeviceOptions device;
  @Mixin private Reporter reporter;

  @Override
  public void run() {
    Recipe chosen = recipe.read();
    Duration interval = run.checkpointEvery();
    NetworkFile source = NetworkFile.readFloat(network, model.given(), normalization.given());
    Scheme scheme = layerBits.scheme(source.network().model(), bits);
    Path folder = out != null ? out : QuantisationRun.defaultFolder(source, scheme);
    Images images = choice == null ? new Images.Synthesised() : choice.images(source, reporter);
    new QuantisationRun(
            source,
            scheme,
            chosen,
            images,
            run.seed(),
            folder,
            run.resume(),
            interval,
            run.diagnose(),
            test.of(source.network().model(), chosen.fineTuning().steps(), reporter),
            QuantisationRun.resumable(folder))
        .run(device, reporter);
  }
}
