package org.hast4j.hast;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigResolveOptions;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.hast4j.graph.RangeRule;

/**
 * Everything that decides what a run does, apart from the network, the bit widths and the seed. Recipes are HOCON files;
 * the meaning of each value stands in {@code recipes/reference.conf}.
 */
public record Recipe(
    Synthesis synthesis, Calibration calibration, FineTuning fineTuning, String rendered) {
  /** Names of the recipes that come with the program. */
  public static final List<String> NAMES = List.of("balanced", "quick", "paper", "released");

  private static final String FOLDER = "/org/hast4j/recipes/";

  /** Section 1 of the algorithm. */
  public record Synthesis(
      int images,
      int batch,
      int iterations,
      float learningRate,
      float beta,
      float gamma,
      float statisticsWeight,
      boolean scaleByStatistics,
      boolean augment,
      Plateau plateau) {}

  /** ReduceLROnPlateau. */
  public record Plateau(float factor, int patience, float threshold, float minLearningRate) {}

  /** Where calibration images come from. */
  public enum Source {
    GENERATOR,
    SYNTHETIC
  }

  /** Section 3, calibration. */
  public record Calibration(
      Source source,
      int iterations,
      int batch,
      int latent,
      float learningRate,
      float statisticsWeight,
      boolean scaleByStatistics,
      float momentum,
      RangeRule rule) {}

  /** How the learning rate falls. */
  public enum Schedule {
    /** By a factor at given epochs. */
    STEPS,
    /** Along half a cosine to 0 at the last epoch. */
    COSINE
  }

  /** Section 3, fine-tuning. */
  public record FineTuning(
      int steps,
      int batch,
      float learningRate,
      boolean scaleByWeights,
      Schedule schedule,
      float momentum,
      float weightDecay,
      float temperature,
      float alpha,
      float lambda,
      float epsilon,
      boolean alignment,
      boolean promotion,
      float cropScaleMin,
      int epochSteps,
      float decayFactor,
      List<Integer> decayEpochs) {
    /** Learning rate of an epoch, counted from 0, before it is scaled by the weights. */
    public float learningRate(long epoch) {
      return switch (schedule) {
        case STEPS -> {
          double rate = learningRate;
          for (int at : decayEpochs) {
            if (epoch >= at) {
              rate *= decayFactor;
            }
          }
          yield (float) rate;
        }
        case COSINE -> {
          double share = (double) epoch * epochSteps / steps;
          yield (float) (learningRate * .5 * (1 + Math.cos(Math.PI * Math.min(share, 1))));
        }
      };
    }
  }

  /**
   * Reads a recipe: one of {@link #NAMES} or a file, over the reference values, under overrides.
   *
   * @param overrides values by path, such as {@code fine-tuning.steps=200}
   * @throws IllegalArgumentException naming a value that is unknown, missing, or out of range
   */
  public static Recipe read(String nameOrFile, Map<String, String> overrides) {
    try {
      Config reference = resource("reference");
      Config chosen =
          NAMES.contains(nameOrFile)
              ? resource(nameOrFile)
              : ConfigFactory.parseFile(existing(nameOrFile).toFile());
      Config config = chosen;
      for (Map.Entry<String, String> override : overrides.entrySet()) {
        config = ConfigFactory.parseString(override.getKey() + " = " + override.getValue()).withFallback(config);
      }
      return of(config.withFallback(reference).resolve(ConfigResolveOptions.noSystem()), reference);
    } catch (ConfigException e) {
      throw new IllegalArgumentException("recipe " + nameOrFile + ": " + e.getMessage(), e);
    }
  }

  private static Path existing(String file) {
    Path path = Path.of(file);
    if (!Files.isRegularFile(path)) {
      throw new IllegalArgumentException(
          "no recipe '%s': it is neither one of %s nor a file".formatted(file, NAMES));
    }
    return path;
  }

  private static Config resource(String name) {
    URL url = Recipe.class.getResource(FOLDER + name + ".conf");
    if (url == null) {
      throw new IllegalStateException("the program lacks its recipe " + name);
    }
    return ConfigFactory.parseURL(url);
  }

  private static Recipe of(Config c, Config reference) {
    TreeSet<String> unknown = new TreeSet<>();
    c.entrySet().forEach(entry -> unknown.add(entry.getKey()));
    reference.entrySet().forEach(entry -> unknown.remove(entry.getKey()));
    if (!unknown.isEmpty()) {
      throw new IllegalArgumentException("unknown recipe values " + unknown);
    }
    Synthesis synthesis =
        new Synthesis(
            positive(c, "synthesis.images"),
            positive(c, "synthesis.batch"),
            positive(c, "synthesis.iterations"),
            number(c, "synthesis.learning-rate"),
            number(c, "synthesis.beta"),
            c.getBoolean("synthesis.hard") ? number(c, "synthesis.gamma") : 0,
            number(c, "synthesis.statistics-weight"),
            c.getBoolean("synthesis.scale-by-statistics"),
            c.getBoolean("synthesis.augment"),
            new Plateau(
                number(c, "synthesis.plateau.factor"),
                positive(c, "synthesis.plateau.patience"),
                number(c, "synthesis.plateau.threshold"),
                number(c, "synthesis.plateau.min-learning-rate")));
    if (synthesis.images() % synthesis.batch() != 0) {
      throw new IllegalArgumentException(
          "synthesis.images (%d) must be a multiple of synthesis.batch (%d)"
              .formatted(synthesis.images(), synthesis.batch()));
    }
    Calibration calibration =
        new Calibration(
            c.getEnum(Source.class, "calibration.source"),
            positive(c, "calibration.iterations"),
            positive(c, "calibration.batch"),
            positive(c, "calibration.latent"),
            number(c, "calibration.learning-rate"),
            number(c, "calibration.statistics-weight"),
            c.getBoolean("calibration.scale-by-statistics"),
            number(c, "calibration.momentum"),
            c.getEnum(RangeRule.class, "calibration.rule"));
    FineTuning fineTuning =
        new FineTuning(
            c.getInt("fine-tuning.steps"),
            positive(c, "fine-tuning.batch"),
            number(c, "fine-tuning.learning-rate"),
            c.getBoolean("fine-tuning.scale-by-weights"),
            c.getEnum(Schedule.class, "fine-tuning.schedule"),
            number(c, "fine-tuning.momentum"),
            number(c, "fine-tuning.weight-decay"),
            number(c, "fine-tuning.temperature"),
            number(c, "fine-tuning.alpha"),
            number(c, "fine-tuning.lambda"),
            number(c, "fine-tuning.epsilon"),
            c.getBoolean("fine-tuning.alignment"),
            c.getBoolean("fine-tuning.promotion"),
            number(c, "fine-tuning.crop-scale-min"),
            positive(c, "fine-tuning.epoch-steps"),
            number(c, "fine-tuning.decay-factor"),
            c.getIntList("fine-tuning.decay-epochs"));
    if (fineTuning.steps() < 0) {
      throw new IllegalArgumentException("fine-tuning.steps must be at least 0, got " + fineTuning.steps());
    }
    if (fineTuning.cropScaleMin() <= 0 || fineTuning.cropScaleMin() > 1) {
      throw new IllegalArgumentException(
          "fine-tuning.crop-scale-min must be above 0 and at most 1, got " + fineTuning.cropScaleMin());
    }
    String rendered =
        c.root().render(ConfigRenderOptions.defaults().setOriginComments(false).setComments(false).setJson(false));
    return new Recipe(synthesis, calibration, fineTuning, rendered);
  }

  private static int positive(Config config, String path) {
    int value = config.getInt(path);
    if (value < 1) {
      throw new IllegalArgumentException(path + " must be at least 1, got " + value);
    }
    return value;
  }

  private static float number(Config config, String path) {
    float value = (float) config.getDouble(path);
    if (!Float.isFinite(value) || value < 0) {
      throw new IllegalArgumentException(path + " must be a number of at least 0, got " + value);
    }
    return value;
  }
}
