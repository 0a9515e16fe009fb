package org.hast4j.hast;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigResolveOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.hast4j.graph.RangeRule;

/**
 * Everything that decides what a run does, apart from the network, the bit widths and the seed.
 * Recipes are HOCON files; the meaning of each value stands in {@code recipes/reference.conf}.
 */
public record Recipe(
    Synthesis synthesis, Calibration calibration, FineTuning fineTuning, String rendered) {
  /** Names of the recipes that come with the program. */
  public static final List<String> NAMES =
      List.of("balanced", "quick", "thorough", "paper", "imagenet", "released");

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
      Plateau plateau) {
    public Synthesis {
      atLeast(1, images, "synthesis.images");
      atLeast(1, batch, "synthesis.batch");
      if (images % batch != 0) {
        throw new IllegalArgumentException(
            "synthesis.images (%d) must be a multiple of synthesis.batch (%d)"
                .formatted(images, batch));
      }
      atLeast(1, iterations, "synthesis.iterations");
      positive(learningRate, "synthesis.learning-rate");
      atLeastZero(beta, "synthesis.beta");
      atLeastZero(gamma, "synthesis.gamma");
      atLeastZero(statisticsWeight, "synthesis.statistics-weight");
    }
  }

  /** ReduceLROnPlateau. */
  public record Plateau(float factor, int patience, float threshold, float minLearningRate) {
    public Plateau {
      check(factor > 0 && factor < 1, "above 0 and below 1", factor, "synthesis.plateau.factor");
      atLeast(0, patience, "synthesis.plateau.patience");
      share(threshold, "synthesis.plateau.threshold");
      atLeastZero(minLearningRate, "synthesis.plateau.min-learning-rate");
    }
  }

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
      RangeRule rule) {
    public Calibration {
      atLeast(1, iterations, "calibration.iterations");
      atLeast(1, batch, "calibration.batch");
      atLeast(1, latent, "calibration.latent");
      positive(learningRate, "calibration.learning-rate");
      atLeastZero(statisticsWeight, "calibration.statistics-weight");
      share(momentum, "calibration.momentum");
    }
  }

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
    public FineTuning {
      decayEpochs = List.copyOf(decayEpochs);
      atLeast(0, steps, "fine-tuning.steps");
      atLeast(1, batch, "fine-tuning.batch");
      positive(learningRate, "fine-tuning.learning-rate");
      share(momentum, "fine-tuning.momentum");
      atLeastZero(weightDecay, "fine-tuning.weight-decay");
      positive(temperature, "fine-tuning.temperature");
      atLeastZero(alpha, "fine-tuning.alpha");
      atLeastZero(lambda, "fine-tuning.lambda");
      atLeastZero(epsilon, "fine-tuning.epsilon");
      check(
          cropScaleMin > 0 && cropScaleMin <= 1,
          "above 0 and at most 1",
          cropScaleMin,
          "fine-tuning.crop-scale-min");
      atLeast(1, epochSteps, "fine-tuning.epoch-steps");
      atLeastZero(decayFactor, "fine-tuning.decay-factor");
      decayEpochs.forEach(epoch -> atLeast(0, epoch, "fine-tuning.decay-epochs"));
    }

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
        config =
            ConfigFactory.parseString(override.getKey() + " = " + override.getValue())
                .withFallback(config);
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
    // Not by URL: inside a jar, a recipe would not find the one it includes.
    return ConfigFactory.parseResources(
        Recipe.class,
        FOLDER + name + ".conf",
        ConfigParseOptions.defaults().setAllowMissing(false));
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
            c.getInt("synthesis.images"),
            c.getInt("synthesis.batch"),
            c.getInt("synthesis.iterations"),
            number(c, "synthesis.learning-rate"),
            number(c, "synthesis.beta"),
            c.getBoolean("synthesis.hard") ? number(c, "synthesis.gamma") : 0,
            number(c, "synthesis.statistics-weight"),
            c.getBoolean("synthesis.scale-by-statistics"),
            c.getBoolean("synthesis.augment"),
            new Plateau(
                number(c, "synthesis.plateau.factor"),
                c.getInt("synthesis.plateau.patience"),
                number(c, "synthesis.plateau.threshold"),
                number(c, "synthesis.plateau.min-learning-rate")));
    Calibration calibration =
        new Calibration(
            c.getEnum(Source.class, "calibration.source"),
            c.getInt("calibration.iterations"),
            c.getInt("calibration.batch"),
            c.getInt("calibration.latent"),
            number(c, "calibration.learning-rate"),
            number(c, "calibration.statistics-weight"),
            c.getBoolean("calibration.scale-by-statistics"),
            number(c, "calibration.momentum"),
            c.getEnum(RangeRule.class, "calibration.rule"));
    FineTuning fineTuning =
        new FineTuning(
            c.getInt("fine-tuning.steps"),
            c.getInt("fine-tuning.batch"),
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
            c.getInt("fine-tuning.epoch-steps"),
            number(c, "fine-tuning.decay-factor"),
            c.getIntList("fine-tuning.decay-epochs"));
    String rendered =
        c.root()
            .render(
                ConfigRenderOptions.defaults()
                    .setOriginComments(false)
                    .setComments(false)
                    .setJson(false));
    return new Recipe(synthesis, calibration, fineTuning, rendered);
  }

  private static float number(Config config, String path) {
    return (float) config.getDouble(path);
  }

  private static void check(boolean right, String rule, Object value, String path) {
    if (!right) {
      throw new IllegalArgumentException("%s must be %s, got %s".formatted(path, rule, value));
    }
  }

  private static void atLeast(int least, int value, String path) {
    check(value >= least, "at least " + least, value, path);
  }

  private static void atLeastZero(float value, String path) {
    check(value >= 0 && Float.isFinite(value), "a number of at least 0", value, path);
  }

  private static void positive(float value, String path) {
    check(value > 0 && Float.isFinite(value), "a number above 0", value, path);
  }

  private static void share(float value, String path) {
    check(value >= 0 && value < 1, "at least 0 and below 1", value, path);
  }
}
