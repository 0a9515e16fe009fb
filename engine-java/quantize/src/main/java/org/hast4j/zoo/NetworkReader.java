package org.hast4j.zoo;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.hast4j.failure.RefusedException;
import org.hast4j.failure.Remedy;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.StoredTensor;
import org.hast4j.io.UnreadableFileException;
import org.hast4j.model.Model;
import org.hast4j.model.ModelDescription;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.model.Preprocessing;
import org.hast4j.model.Resize;
import org.hast4j.nn.Checkpoint;
import org.hast4j.nn.Network;
import org.hast4j.source.Source;

/**
 * Reads trained networks from files as people have them. The structure is what is given, else what
 * the file carries, as hast4j's own files and ONNX do, else that of the known family whose names
 * and shapes the tensors have. What the file cannot say is assumed, and said.
 */
public final class NetworkReader {
  private static final Set<String> SETTINGS = Set.of("size", "epsilon", "padding", "activation");

  /** As older files of hast4j call them. */
  private static final Map<String, String> OTHER_WORDS =
      Map.of("input_size", "size", "bn_eps", "epsilon");

  private final Path file;
  private final Given given;
  private final Source source;
  private final Optional<TimmConfig> config;
  private final List<String> assumptions = new ArrayList<>();

  /**
   * A network and what was assumed of it.
   *
   * @param assumptions for people; none where the file says all
   */
  public record Read(Network network, List<String> assumptions) {
    public Read {
      assumptions = List.copyOf(assumptions);
    }
  }

  private NetworkReader(Path file, Given given) {
    this.file = file;
    this.given = given;
    source = Source.read(file);
    config = TimmConfig.beside(file);
    assumptions.addAll(source.notes());
  }

  /**
   * Reads a network of whose file nothing more is known.
   *
   * @throws CorruptFileException if the file is damaged or is no network that is known
   */
  public static Network read(Path file) {
    return read(file, Given.NOTHING).network();
  }

  /**
   * Reads a network.
   *
   * @throws CorruptFileException if the file is damaged, is no network that is known, or does not
   *     hold what is given
   * @throws UnreadableFileException if it cannot be read
   */
  public static Read read(Path file, Given given) {
    try {
      return new NetworkReader(file, given).read();
    } catch (RefusedException e) {
      throw new CorruptFileException(file, e.getMessage(), e);
    }
  }

  private Read read() {
    Map<String, StoredTensor> tensors = StateDict.withoutCounters(source.tensors());
    Optional<ModelDescription> description =
        given.description().or(() -> Checkpoint.described(source.metadata()));
    Optional<Model> model = description.map(ModelDescription::model).or(source::model);
    if (model.isEmpty()) {
      StateDict state = StateDict.of(tensors, settings());
      assumptions.addAll(state.assumptions());
      return network(
          state.model(), description, state.tensors(), state.outside(), state.normalization());
    }
    if (!given.settings().isEmpty()) {
      throw new RefusedException(
          "%s means nothing here: the structure of %s is known"
              .formatted(String.join(", ", given.settings().keySet()), model.get().name()));
    }
    return network(
        model.get(), description, named(model.get(), tensors), List.of(), Optional.empty());
  }

  /** What is given, what the metadata say, and what timm says beside the file. */
  private Map<String, String> settings() {
    Map<String, String> settings = new LinkedHashMap<>();
    config.flatMap(TimmConfig::size).ifPresent(side -> settings.put("size", "" + side));
    source
        .metadata()
        .forEach(
            (key, text) -> {
              String word = OTHER_WORDS.getOrDefault(key, key);
              if (SETTINGS.contains(word) && isSetting(word, text)) {
                settings.put(word, text);
              }
            });
    settings.putAll(given.settings());
    return settings;
  }

  /** Whether a free-form text of the metadata is a setting and no prose. */
  private static boolean isSetting(String word, String text) {
    return switch (word) {
      case "padding" ->
          Arrays.stream(PaddingStyle.values())
              .anyMatch(style -> style.name().equalsIgnoreCase(text));
      case "activation" -> text.matches("\\w+");
      default -> true;
    };
  }

  /** The file's tensors without what stands before all the names of a model's. */
  private Map<String, StoredTensor> named(Model model, Map<String, StoredTensor> tensors) {
    Set<String> needed = model.parameters().keySet();
    for (String prefix : StateDict.prefixes(tensors.keySet())) {
      if (needed.stream().anyMatch(name -> tensors.containsKey(prefix + name))) {
        Map<String, StoredTensor> named = StateDict.below(prefix, tensors);
        tensors.forEach(
            (name, tensor) -> {
              if (!name.startsWith(prefix)) {
                named.putIfAbsent(name, tensor);
              }
            });
        return named;
      }
    }
    return tensors;
  }

  private Read network(
      Model model,
      Optional<ModelDescription> description,
      Map<String, StoredTensor> tensors,
      List<String> outside,
      Optional<Normalization> usual) {
    Map<String, StoredTensor> own = new LinkedHashMap<>(tensors);
    addConstants(model, own);
    dropExtra(model, own, outside);
    Normalization normalization =
        given
            .normalization()
            .or(() -> description.flatMap(ModelDescription::normalization))
            .or(this::stated)
            .or(this::beside)
            .or(() -> assumed(model, usual))
            .orElseThrow(
                () ->
                    new CorruptFileException(
                        file,
                        "its metadata give no mean and std: give the normalization of the network's"
                            + " input",
                        Remedy.GIVE_NORMALIZATION));
    Network network = Checkpoint.network(file, own, model, normalization);
    Resize resize =
        given
            .resize()
            .or(description.map(ModelDescription::resize).orElse(Resize.USUAL))
            .or(config.map(TimmConfig::resize).orElse(Resize.USUAL));
    List<String> names =
        description
            .map(ModelDescription::classNames)
            .or(() -> config.map(TimmConfig::classNames))
            .filter(all -> all.size() == model.classes())
            .orElse(List.of());
    return new Read(network.with(new Preprocessing(normalization, resize), names), assumptions);
  }

  private Optional<Normalization> beside() {
    Optional<Normalization> normalization = config.flatMap(TimmConfig::normalization);
    normalization.ifPresent(
        found ->
            assumptions.add(
                "input normalised by %s, as %s beside the file says"
                    .formatted(found, TimmConfig.NAME)));
    return normalization;
  }

  /** A BatchNorm without an affine part multiplies by 1 and adds 0. */
  private void addConstants(Model model, Map<String, StoredTensor> tensors) {
    List<String> plain = new ArrayList<>();
    for (String norm : model.names(Operator.BatchNorm.class)) {
      StoredTensor mean = tensors.get(norm + ".running_mean");
      if (mean == null
          || tensors.containsKey(norm + ".weight")
          || tensors.containsKey(norm + ".bias")) {
        continue;
      }
      plain.add(norm);
      tensors.put(norm + ".weight", new Constant(norm + ".weight", mean.shape(), 1));
      tensors.put(norm + ".bias", new Constant(norm + ".bias", mean.shape(), 0));
    }
    if (!plain.isEmpty()) {
      assumptions.add(
          "%d BatchNorms without weight and bias, %s the first: taken as 1 and 0"
              .formatted(plain.size(), plain.getFirst()));
    }
  }

  private void dropExtra(Model model, Map<String, StoredTensor> tensors, List<String> outside) {
    Set<String> known = new TreeSet<>(model.parameters().keySet());
    known.addAll(model.statistics().keySet());
    List<String> extra = new ArrayList<>();
    tensors.forEach(
        (name, tensor) -> {
          if (!known.contains(name)) {
            extra.add(tensor.name());
          }
        });
    extra.addAll(outside);
    if (extra.isEmpty()) {
      return;
    }
    String all = String.join(", ", extra);
    if (!given.dropExtra()) {
      throw new CorruptFileException(
          file,
          "%d tensors do not belong to %s: %s. Leave them out if the network does not need them"
              .formatted(extra.size(), model.name(), all),
          Remedy.DROP_EXTRA);
    }
    assumptions.add("%d tensors left out: %s".formatted(extra.size(), all));
    tensors.keySet().retainAll(known);
  }

  /** From metadata "mean" and "std", JSON arrays in units of v/255. */
  private Optional<Normalization> stated() {
    return source.metadata().containsKey("mean") || source.metadata().containsKey("std")
        ? Optional.of(MetadataNormalization.of(file, source.metadata()))
        : Optional.empty();
  }

  /** What networks of this kind are usually trained with; of three channels only. */
  private Optional<Normalization> assumed(Model model, Optional<Normalization> usual) {
    if (model.input().channels() != 3) {
      return Optional.empty();
    }
    boolean small = model.input().height() <= 64;
    Normalization normalization =
        usual.orElse(small ? Normalization.CIFAR10 : Normalization.IMAGENET);
    assumptions.add(
        "input normalised by %s%s"
            .formatted(
                normalization,
                usual.isPresent()
                    ? ", as in the origin"
                    : small ? ", as for CIFAR-10" : ", as for ImageNet"));
    return Optional.of(normalization);
  }
}
