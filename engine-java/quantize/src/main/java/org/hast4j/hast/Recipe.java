package org.hast4j.hast;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigRenderOptions;
import com.typesafe.config.ConfigResolveOptions;
import java.io.File;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;
import org.hast4j.tensor.RangeRule;
import org.hast4j.tensor.StraightThrough;

/**
 * Everything that decides what a run does, apart from the network, the bit widths and the seed.
 * Recipes are HOCON files; the meaning of each value stands in {@code recipes/reference.conf}.
 */
public record Recipe(
    boolean normalForm,
    Synthesis synthesis,
    Calibration calibration,
    FineTuning fineTuning,
    String rendered) {
  /** Names of the recipes that come with the program. */
  public static final List<String> NAMES =
      List.of(
          "balanced", "quick", "large", "thorough", "paper", "imagenet", "released", "rounding");

  /** Height or width up to which images count as small, pixels. */
  private static final int SMALL = 64;

  private static final String FOLDER = "/org/hast4j/recipes/";

  /** By default a file that cannot be read counts as an empty one. */
  private static final ConfigParseOptions REQUIRED =
      ConfigParseOptions.defaults().setAllowMissing(false);

  /** Section 1 of the algorithm. */
  public record Synthesis(
      int images,
      int batch,
      int iterations,
      float learningRate,
      SynthesisSchedule schedule,
      float beta,
      float gamma,
      float statisticsWeight,
      boolean augment,
      Plateau plateau) {
    public Synthesis {
      atLeast(1, images, "synthesis.images");
      atLeast(1, batch, "synthesis.batch");
      if (images % batch != 0) {
        throw new RefusedException(
            "synthesis.images (%d) must be a multiple of synthesis.batch (%d)"
                .formatted(images, batch));
      }
      atLeast(1, iterations, "synthesis.iterations");
      positive(learningRate, "synthesis.learning-rate");
      atLeastZero(beta, "synthesis.beta");
      atLeastZero(gamma, "synthesis.gamma");
      atLeastZero(statisticsWeight, "synthesis.statistics-weight");
    }

    /** Learning rate of an iteration, counted from 0, by the schedule COSINE. */
    float annealed(long iteration) {
      return learningRate * cosine((double) iteration / iterations);
    }
  }

  /** How synthesis' learning rate falls. */
  public enum SynthesisSchedule {
    /** As {@link Plateau} says. */
    PLATEAU,
    /** Along half a cosine to 0 after the last iteration. */
    COSINE
  }

  /** Half a cosine, from 1 at a share of 0 to 0 at 1 and after. */
  private static float cosine(double share) {
    return (float) (.5 * (1 + Math.cos(Math.PI * Math.min(share, 1))));
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

  /** What an activation range is. */
  public enum Ranges {
    /** The tracked extremes. */
    EXTREMES,
    /** The share of them at which the squared error is least. */
    ERROR
  }

  /** Section 3, calibration. */
  public record Calibration(
      Source source,
      int iterations,
      int batch,
      int latent,
      float learningRate,
      float statisticsWeight,
      float momentum,
      RangeRule rule,
      Ranges ranges,
      boolean correctStatistics,
      boolean clipWeights) {
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
      float otherRate,
      Schedule schedule,
      int warmUp,
      float momentum,
      float weightDecay,
      float temperature,
      float alpha,
      float lambda,
      float epsilon,
      boolean alignment,
      boolean promotion,
      StraightThrough straightThrough,
      float heldBack,
      float cropScaleMin,
      int epochSteps,
      float decayFactor,
      List<Integer> decayEpochs) {
    public FineTuning {
      decayEpochs = List.copyOf(decayEpochs);
      atLeast(0, steps, "fine-tuning.steps");
      atLeast(1, batch, "fine-tuning.batch");
      positive(learningRate, "fine-tuning.learning-rate");
      atLeastZero(otherRate, "fine-tuning.other-rate");
      atLeast(0, warmUp, "fine-tuning.warm-up");
      share(heldBack, "fine-tuning.held-back");
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

    /** Learning rate of an epoch, counted from 0. */
    public float learningRate(long epoch) {
      double reached = (epoch + .5) * epochSteps / Math.max(Math.min(warmUp, steps / 8), 1);
      return scheduled(epoch) * (float) Math.min(reached, 1);
    }

    private float scheduled(long epoch) {
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
        case COSINE -> learningRate * cosine((double) epoch * epochSteps / Math.max(steps, 1));
      };
    }
  }

  /** The recipe for who does not choose: balanced, or large where images are large. */
  public static String usual(Model.Input input) {
    return Math.max(input.height(), input.width()) <= SMALL ? "balanced" : "large";
  }

  /**
   * Reads a recipe: one of {@link #NAMES} or a file, over the reference values, under overrides.
   *
   * @param overrides values by path, such as {@code fine-tuning.steps=200}
   * @throws RefusedException naming a value that is unknown, missing, or out of range
   */
  public static Recipe read(String nameOrFile, Map<String, String> overrides) {
    return read(
        nameOrFile,
        () ->
            NAMES.contains(nameOrFile)
                ? resource(nameOrFile)
                : ConfigFactory.parseFile(existing(nameOrFile), REQUIRED),
        overrides);
  }

  /**
   * Reads a recipe's text, such as what {@link #rendered} gives.
   *
   * @param place what messages call it
   * @throws RefusedException naming a value that is unknown, missing, or out of range
   */
  public static Recipe parse(String text, String place) {
    return read(
        place,
        () -> ConfigFactory.parseString(text, REQUIRED.setOriginDescription(place)),
        Map.of());
  }

  private static Recipe read(String name, Supplier<Config> source, Map<String, String> overrides) {
    Config reference = resource("reference");
    try {
      Config config = source.get();
      for (Map.Entry<String, String> override : overrides.entrySet()) {
        String text = override.getKey() + "=" + override.getValue();
        config =
            ConfigFactory.parseString(text, REQUIRED.setOriginDescription("'" + text + "'"))
                .withFallback(config);
      }
      return of(config.withFallback(reference).resolve(ConfigResolveOptions.noSystem()), reference);
    } catch (ConfigException.IO e) {
      // Its first cause, if it has one, says what is wrong and where; what follows repeats it.
      Throwable failure = e;
      while (failure.getCause() != null) {
        failure = failure.getCause();
      }
      throw new RefusedException(
          "recipe %s cannot be read: %s".formatted(name, failure.getMessage()), e);
    } catch (StackOverflowError e) {
      // The parser goes as deep as the brackets do.
      throw new RefusedException("recipe %s is nested too deeply".formatted(name), e);
    } catch (ConfigException e) {
      throw new RefusedException("recipe " + name + ", " + e.getMessage(), e);
    }
  }

  private static File existing(String name) {
    File file = new File(name);
    if (!file.isFile()) {
      throw new RefusedException(
          "no recipe '%s': it is neither one of %s nor a file".formatted(name, NAMES));
    }
    return file;
  }

  private static Config resource(String name) {
    // Not by URL: inside a jar, a recipe would not find the one it includes.
    return ConfigFactory.parseResources(Recipe.class, FOLDER + name + ".conf", REQUIRED);
  }

  private static Recipe of(Config c, Config reference) {
    TreeSet<String> unknown = new TreeSet<>();
    c.entrySet().forEach(entry -> unknown.add(entry.getKey()));
    reference.entrySet().forEach(entry -> unknown.remove(entry.getKey()));
    if (!unknown.isEmpty()) {
      throw new RefusedException(
          "unknown recipe values %s: the recipe.conf in the folder of any run lists those there are"
              .formatted(unknown));
    }
    Synthesis synthesis =
        new Synthesis(
            whole(c, "synthesis.images"),
            whole(c, "synthesis.batch"),
            whole(c, "synthesis.iterations"),
            number(c, "synthesis.learning-rate"),
            choice(c, "synthesis.schedule", SynthesisSchedule.values()),
            number(c, "synthesis.beta"),
            c.getBoolean("synthesis.hard") ? number(c, "synthesis.gamma") : 0,
            number(c, "synthesis.statistics-weight"),
            c.getBoolean("synthesis.augment"),
            new Plateau(
                number(c, "synthesis.plateau.factor"),
                whole(c, "synthesis.plateau.patience"),
                number(c, "synthesis.plateau.threshold"),
                number(c, "synthesis.plateau.min-learning-rate")));
    Calibration calibration =
        new Calibration(
            choice(c, "calibration.source", Source.values()),
            whole(c, "calibration.iterations"),
            whole(c, "calibration.batch"),
            whole(c, "calibration.latent"),
            number(c, "calibration.learning-rate"),
            number(c, "calibration.statistics-weight"),
            number(c, "calibration.momentum"),
            choice(c, "calibration.rule", RangeRule.values()),
            choice(c, "calibration.ranges", Ranges.values()),
            c.getBoolean("calibration.correct-statistics"),
            c.getBoolean("calibration.clip-weights"));
    FineTuning fineTuning =
        new FineTuning(
            whole(c, "fine-tuning.steps"),
            whole(c, "fine-tuning.batch"),
            number(c, "fine-tuning.learning-rate"),
            number(c, "fine-tuning.other-rate"),
            choice(c, "fine-tuning.schedule", Schedule.values()),
            whole(c, "fine-tuning.warm-up"),
            number(c, "fine-tuning.momentum"),
            number(c, "fine-tuning.weight-decay"),
            number(c, "fine-tuning.temperature"),
            number(c, "fine-tuning.alpha"),
            number(c, "fine-tuning.lambda"),
            number(c, "fine-tuning.epsilon"),
            c.getBoolean("fine-tuning.alignment"),
            c.getBoolean("fine-tuning.promotion"),
            choice(c, "fine-tuning.straight-through", StraightThrough.values()),
            number(c, "fine-tuning.held-back"),
            number(c, "fine-tuning.crop-scale-min"),
            whole(c, "fine-tuning.epoch-steps"),
            number(c, "fine-tuning.decay-factor"),
            c.getIntList("fine-tuning.decay-epochs"));
    String rendered =
        c.root()
            .render(
                ConfigRenderOptions.defaults()
                    .setOriginComments(false)
                    .setComments(false)
                    .setJson(false));
    return new Recipe(c.getBoolean("normal-form"), synthesis, calibration, fineTuning, rendered);
  }

  /** The values in which two rendered recipes differ, for people. */
  static String difference(String before, String now) {
    try {
      Config was = ConfigFactory.parseString(before);
      Config is = ConfigFactory.parseString(now);
      TreeSet<String> paths = new TreeSet<>();
      was.entrySet().forEach(entry -> paths.add(entry.getKey()));
      is.entrySet().forEach(entry -> paths.add(entry.getKey()));
      String values =
          paths.stream()
              .filter(path -> !value(was, path).equals(value(is, path)))
              .map(path -> "%s %s, not %s".formatted(path, value(was, path), value(is, path)))
              .collect(Collectors.joining("; "));
      // The text goes into the result, so that 2 and "2" give other bytes.
      return values.isEmpty() ? "the same values, written differently" : values;
    } catch (ConfigException | StackOverflowError e) {
      return "which is not readable";
    }
  }

  private static String value(Config config, String path) {
    return config.hasPath(path) ? config.getValue(path).unwrapped().toString() : "missing";
  }

  /** {@link Config#getInt} drops what stands behind the point. */
  private static int whole(Config config, String path) {
    double value = config.getDouble(path);
    check(value == Math.rint(value), "a whole number", value, path);
    return config.getInt(path);
  }

  private static <E extends Enum<E>> E choice(Config config, String path, E[] values) {
    String name = config.getString(path);
    for (E value : values) {
      if (value.name().equalsIgnoreCase(name)) {
        return value;
      }
    }
    throw new RefusedException(
        "%s must be one of %s, got %s".formatted(path, Arrays.toString(values), name));
  }

  private static float number(Config config, String path) {
    return (float) config.getDouble(path);
  }

  private static void check(boolean right, String rule, Object value, String path) {
    if (!right) {
      throw new RefusedException("%s must be %s, got %s".formatted(path, rule, value));
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
