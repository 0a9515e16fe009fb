package org.hast4j.cli;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.hast4j.hast.Images;
import org.hast4j.hast.Recipe;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Scheme;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code hast synthesize}. */
@Command(
    name = "synthesize",
    customSynopsis = "hast synthesize NETWORK [OPTION]..",
    sortOptions = false,
    parameterListHeading = "%n",
    optionListHeading = "%n",
    description = {
      "Makes the synthetic images of a network, and stops there.",
      "quantize --images takes the file, at any bit widths; quantize --resume goes on in the"
          + " folder."
    })
final class SynthesizeCommand implements Runnable {
  @Parameters(
      paramLabel = "NETWORK",
      description = "Trained network: a safetensors file with PyTorch's tensor names.")
  private Path network;

  @Option(
      names = "--bits",
      paramLabel = "W4A4",
      defaultValue = "W4A4",
      converter = BitsConverter.class,
      description =
          "What a quantize --resume in the same folder will ask for; ${DEFAULT-VALUE} by default."
              + " The images do not depend on it.")
  private Bits bits;

  @Mixin private LayerBitsOptions layerBits;

  @Option(
      names = "--out",
      paramLabel = "RUN_DIR",
      description = "Folder of the run; runs/<network>-<bits> by default.")
  private Path out;

  @Option(
      names = "--batches",
      paramLabel = "FIRST-LAST",
      converter = BatchRange.Converter.class,
      description =
          "Makes only these batches, counted from 0, so that several machines may make some each;"
              + " quantize --images A,B takes their files together.")
  private BatchRange batches;

  @Mixin private RunOptions run;
  @Mixin private RecipeOptions recipe;
  @Mixin private ModelOptions model;
  @Mixin private PreprocessingOptions preprocessing;
  @Mixin private DeviceOptions device;
  @Mixin private Reporter reporter;

  @Override
  public void run() {
    recipe.check();
    NetworkFile source = NetworkFile.readFloat(network, model.given(preprocessing));
    Model.Input input = source.network().model().input();
    Recipe chosen = recipe.read(input);
    Images images = new Images.Synthesized();
    if (batches != null) {
      images = new Images.Synthesized(batches.first());
      chosen =
          recipe.read(
              input, Map.of("synthesis.images", "" + batches.count() * chosen.synthesis().batch()));
    }
    Scheme scheme = layerBits.scheme(source.network().model(), bits);
    Path folder = out != null ? out : QuantizationRun.defaultFolder(source, scheme);
    new QuantizationRun(
            source,
            source.job(scheme, chosen, images, run.seed()),
            folder,
            run.resume(),
            run.checkpointEvery(),
            run.diagnose(),
            Optional.empty(),
            QuantizationRun.resumable(folder))
        .synthesize(device, reporter);
  }
}
