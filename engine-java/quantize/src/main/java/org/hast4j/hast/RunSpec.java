package org.hast4j.hast;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigSyntax;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.AtomicFile;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Sha256;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.model.ModelDescription;
import org.hast4j.model.Normalization;
import org.hast4j.model.Resize;
import org.hast4j.model.Scheme;
import org.hast4j.zoo.Given;
import org.hast4j.zoo.NetworkReader;

/**
 * What a run needs to be done anywhere: a {@link Job} that names its files instead of holding them.
 *
 * @param network the trained network's file
 * @param sha256 of the file
 * @param given what its file cannot say, or says wrongly
 * @param images files of synthetic images, one after the other; none where they are to be made
 * @param seed decides every random number
 */
public record RunSpec(
    Path network,
    String sha256,
    Given given,
    Scheme scheme,
    Recipe recipe,
    List<Path> images,
    long seed) {
  private static final int FORMAT = 1;
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final ConfigParseOptions SYNTAX =
      ConfigParseOptions.defaults().setSyntax(ConfigSyntax.JSON);

  public RunSpec {
    images = List.copyOf(images);
  }

  /**
   * A spec of a network whose file says all about it, for new images.
   *
   * @throws UnreadableFileException if the file cannot be read
   */
  public static RunSpec of(Path network, Scheme scheme, Recipe recipe, long seed) {
    return new RunSpec(network, Sha256.of(network), Given.NOTHING, scheme, recipe, List.of(), seed);
  }

  /**
   * Reads what the spec names.
   *
   * @throws RefusedException if the network's file is not the one that was meant
   * @throws CorruptFileException if it is damaged
   */
  public Job job() {
    check(Sha256.of(network));
    return new Job(
        NetworkReader.read(network, given).network(), sha256, scheme, recipe, source(), seed);
  }

  /** Where the images come from. */
  public Images source() {
    return images.isEmpty() ? new Images.Synthesized() : new Images.Stored(images);
  }

  /**
   * Refuses a network's file that is not the one that was meant.
   *
   * @param found its checksum
   */
  public void check(String found) {
    if (!found.equals(sha256)) {
      throw new RefusedException(
          "%s is another file than was meant: its sha256 is %s, not %s"
              .formatted(network, found, sha256));
    }
  }

  /** The same for a copy of the network elsewhere. */
  public RunSpec withNetwork(Path other) {
    return new RunSpec(other, sha256, given, scheme, recipe, images, seed);
  }

  /** Writes the spec as JSON. */
  public void write(Path file) {
    ObjectNode json =
        JSON.createObjectNode()
            .put("format", FORMAT)
            .put("network", network.toString())
            .put("sha256", sha256);
    given.description().ifPresent(model -> json.put("model", model.json(false)));
    if (!given.settings().isEmpty()) {
      json.set("assume", JSON.valueToTree(given.settings()));
    }
    if (given.dropExtra()) {
      json.put("drop_extra", true);
    }
    given
        .normalization()
        .ifPresent(
            normalization -> {
              json.set("mean", JSON.valueToTree(normalization.mean()));
              json.set("std", JSON.valueToTree(normalization.std()));
            });
    Resize resize = given.resize();
    resize.extent().ifPresent(extent -> json.put("resize", extent.toString()));
    resize.interpolation().ifPresent(filter -> json.put("interpolation", filter.toString()));
    json.put("scheme", scheme.json()).put("recipe", recipe.rendered());
    json.set("images", JSON.valueToTree(images.stream().map(Path::toString).toList()));
    json.put("seed", Long.toString(seed));
    AtomicFile.write(file, (json.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Reads what {@link #write} wrote.
   *
   * @throws CorruptFileException saying where it is wrong, or that a newer version wrote it
   * @throws UnreadableFileException if the file cannot be read
   */
  public static RunSpec read(Path file) {
    try {
      return of(ConfigFactory.parseString(Files.readString(file), SYNTAX));
    } catch (CharacterCodingException e) {
      throw new CorruptFileException(file, "it is no text in UTF-8", e);
    } catch (IOException e) {
      throw new UnreadableFileException(file, e);
    } catch (ConfigException | RefusedException e) {
      throw new CorruptFileException(file, e.getMessage(), e);
    } catch (StackOverflowError e) {
      throw new CorruptFileException(file, "it is nested too deeply", e);
    }
  }

  private static RunSpec of(Config json) {
    int format = json.getInt("format");
    if (format < 1 || format > FORMAT) {
      throw new RefusedException(
          "it is of format %d, this program reads up to %d: a newer one wrote it"
              .formatted(format, FORMAT));
    }
    return new RunSpec(
        Path.of(json.getString("network")),
        json.getString("sha256"),
        given(json),
        Scheme.parse(json.getString("scheme"), "its scheme"),
        Recipe.parse(json.getString("recipe"), "its recipe"),
        json.getStringList("images").stream().map(Path::of).toList(),
        json.getLong("seed"));
  }

  private static Given given(Config json) {
    Map<String, String> settings = new TreeMap<>();
    if (json.hasPath("assume")) {
      json.getConfig("assume")
          .root()
          .forEach((word, value) -> settings.put(word, value.unwrapped().toString()));
    }
    return new Given(
        json.hasPath("model")
            ? Optional.of(ModelDescription.parse(json.getString("model"), "its model"))
            : Optional.empty(),
        json.hasPath("mean")
            ? Optional.of(new Normalization(floats(json, "mean"), floats(json, "std")))
            : Optional.empty(),
        new Resize(
            text(json, "resize").map(Resize.Extent::parse),
            text(json, "interpolation").map(Resize.Interpolation::parse)),
        settings,
        json.hasPath("drop_extra") && json.getBoolean("drop_extra"));
  }

  private static Optional<String> text(Config json, String key) {
    return json.hasPath(key) ? Optional.of(json.getString(key)) : Optional.empty();
  }

  private static float[] floats(Config json, String key) {
    List<Double> values = json.getDoubleList(key);
    float[] floats = new float[values.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = values.get(i).floatValue();
    }
    return floats;
  }
}
