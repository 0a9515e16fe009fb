package org.hast4j.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import org.hast4j.failure.RefusedException;
import org.hast4j.hast.Recipe;
import org.hast4j.model.Model;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Which recipe, and what is changed in it. */
final class RecipeOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--recipe",
      paramLabel = "RECIPE",
      description =
          "balanced (the default; well under an hour on two cores), large (the default for images"
              + " of more than 64 pixels), quick (minutes), thorough (the"
              + " paper's budget; for a GPU), paper (the paper's settings for CIFAR-10; the same"
              + " and more), imagenet (those for ImageNet), released"
              + " (the authors' code, oddities included), rounding (no fine-tuning at all),"
              + " or a HOCON file.")
  private String recipe;

  @Option(
      names = "--set",
      paramLabel = "PATH=VALUE",
      description =
          "Changes one value of the recipe, such as fine-tuning.steps=2000; may be repeated.")
  private Map<String, String> overrides = new LinkedHashMap<>();

  @Option(
      names = "--calibrate-on",
      paramLabel = "SOURCE",
      description =
          "What sets the activation ranges: generator, or synthetic (the images themselves).")
  private Recipe.Source calibrateOn;

  @Option(names = "--no-hard", description = "Ablation: plain cross-entropy in synthesis.")
  private boolean noHard;

  @Option(names = "--no-promotion", description = "Ablation: no difficulty promotion.")
  private boolean noPromotion;

  @Option(names = "--no-alignment", description = "Ablation: no feature alignment.")
  private boolean noAlignment;

  /** Makes the images themselves set the ranges, unless the user chose. */
  void calibrateOnImages() {
    if (calibrateOn == null && !overrides.containsKey("calibration.source")) {
      calibrateOn = Recipe.Source.SYNTHETIC;
    }
  }

  /** Refuses what makes no sense for any network, before the network's file is read. */
  void check() {
    read(new Model.Input(1, 1, 1));
  }

  Recipe read(Model.Input input) {
    return read(input, Map.of());
  }

  /**
   * Reads the recipe with more values, by path, that nothing changes.
   *
   * @param input of the network, which decides the recipe if the user did not
   */
  Recipe read(Model.Input input, Map<String, String> more) {
    Map<String, String> all = new LinkedHashMap<>();
    if (calibrateOn != null) {
      all.put("calibration.source", calibrateOn.name());
    }
    if (noHard) {
      all.put("synthesis.hard", "false");
    }
    if (noPromotion) {
      all.put("fine-tuning.promotion", "false");
    }
    if (noAlignment) {
      all.put("fine-tuning.alignment", "false");
    }
    all.putAll(overrides);
    all.putAll(more);
    try {
      return Recipe.read(recipe != null ? recipe : Recipe.usual(input), all);
    } catch (RefusedException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }
}
