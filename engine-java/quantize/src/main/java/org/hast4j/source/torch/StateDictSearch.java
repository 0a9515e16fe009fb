package org.hast4j.source.torch;

import java.math.BigInteger;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.hast4j.io.CorruptFileException;
import org.hast4j.source.torch.Pickled.Dict;
import org.hast4j.source.torch.Pickled.Opaque;
import org.hast4j.source.torch.Pickled.Sequence;
import org.hast4j.source.torch.Pickled.Tensor;

/** Finds a network's tensors among what people save beside them. */
final class StateDictSearch {
  /** Under which keys training programs put the network, the likeliest first. */
  private static final List<String> USUAL_KEYS =
      List.of(
          "state_dict",
          "model_state_dict",
          "model",
          "net",
          "network",
          "state_dict_ema",
          "ema_state_dict",
          "model_ema",
          "net_state_dict",
          "params",
          "weights",
          "student",
          "module");

  private static final int MAX_DEPTH = 8;
  private static final int MAX_MODULE_DEPTH = 100;

  /** For what is looked at in modules and named, against those that hold one another many times. */
  private static final long MAX_STEPS = 1 << 24;

  private static final int STEPS_PER_NAME = 64;

  private static final int MAX_METADATA = 100;
  private static final int MAX_METADATA_CHARACTERS = 1000;

  private final Path file;
  private final Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());
  private long steps;

  /**
   * @param file for messages
   */
  StateDictSearch(Path file) {
    this.file = file;
  }

  /**
   * Tensors that belong together.
   *
   * @param others what stands among them and is no tensor, by name
   * @param surroundings the dictionaries around them, from the outermost, and themselves
   * @param notes what was taken among what
   */
  record StateDict(
      Map<String, Tensor> tensors,
      Map<String, Object> others,
      List<Dict> surroundings,
      List<String> notes) {
    /** How many tensors a network could compute with. */
    long weights() {
      return tensors.values().stream().filter(Tensor::isFloating).count();
    }

    /** Numbers and texts that stand beside the tensors, such as an epoch. */
    Map<String, String> metadata() {
      Map<String, String> texts = new LinkedHashMap<>();
      for (Dict dict : surroundings) {
        dict.entries()
            .forEach(
                (key, value) -> {
                  if (key instanceof String name
                      && texts.size() < MAX_METADATA
                      && name.length() <= MAX_METADATA_CHARACTERS
                      && isScalar(value)) {
                    texts.putIfAbsent(name, value.toString());
                  }
                });
      }
      return texts;
    }

    private static boolean isScalar(Object value) {
      return switch (value) {
        case String text -> text.length() <= MAX_METADATA_CHARACTERS;
        case BigInteger number -> number.bitLength() <= MAX_METADATA_CHARACTERS;
        case Number _, Boolean _ -> true;
        case null, default -> false;
      };
    }
  }

  /** The tensors of what a file holds, if it holds some by name. */
  Optional<StateDict> find(Object root) {
    return find(root, 0).filter(found -> !found.tensors.isEmpty());
  }

  private Optional<StateDict> find(Object value, int depth) {
    // Each object once: the same one elsewhere would give the same, and some hold themselves.
    if (depth > MAX_DEPTH || value == null || !seen.add(value)) {
      return Optional.empty();
    }
    return switch (value) {
      case Opaque module when isModule(module) -> Optional.of(module(module));
      case Opaque opaque when !opaque.items().isEmpty() -> Optional.of(dict(opaque.items(), depth));
      // Some object of a training program's.
      case Opaque opaque when opaque.state() instanceof Dict state -> find(state, depth + 1);
      case Dict dict -> Optional.of(dict(dict, depth));
      case Sequence sequence -> Optional.of(dict(numbered(sequence), depth));
      default -> Optional.empty();
    };
  }

  /** A list of tensors has no names, but one of the dictionaries in it may be the network's. */
  private static Dict numbered(Sequence sequence) {
    Dict dict = new Dict();
    for (int i = 0; i < sequence.items().size(); i++) {
      if (!(sequence.item(i) instanceof Tensor)) {
        dict.put((long) i, sequence.item(i));
      }
    }
    return dict;
  }

  private StateDict dict(Dict dict, int depth) {
    StateDict own = own(dict);
    for (String key : USUAL_KEYS) {
      Optional<StateDict> usual =
          find(dict.get(key), depth + 1).filter(found -> found.weights() > 0);
      if (usual.isPresent() && usual.get().weights() >= own.weights()) {
        return within(dict, key, usual.get());
      }
    }
    StateDict best = own;
    for (Map.Entry<Object, Object> entry : dict.entries().entrySet()) {
      Optional<StateDict> inner = find(entry.getValue(), depth + 1);
      if (inner.isPresent() && inner.get().weights() > best.weights()) {
        best = within(dict, entry.getKey(), inner.get());
      }
    }
    return best;
  }

  private static StateDict own(Dict dict) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    Map<String, Object> others = new LinkedHashMap<>();
    dict.entries()
        .forEach(
            (key, value) -> {
              if (value instanceof Tensor tensor) {
                tensors.put(String.valueOf(key), tensor);
              } else if (value instanceof Opaque) {
                others.put(String.valueOf(key), value);
              }
            });
    return new StateDict(tensors, others, List.of(dict), List.of());
  }

  private static StateDict within(Dict dict, Object key, StateDict inner) {
    List<Dict> surroundings = new ArrayList<>(List.of(dict));
    surroundings.addAll(inner.surroundings);
    List<String> notes = new ArrayList<>();
    if (dict.entries().size() > 1) {
      notes.add(
          "took %s of %s"
              .formatted(Description.quoted(key), Description.quoted(dict.entries().keySet())));
    }
    notes.addAll(inner.notes);
    return new StateDict(inner.tensors, inner.others, surroundings, notes);
  }

  private static boolean isModule(Opaque object) {
    return object.state() instanceof Dict state
        && (state.get("_modules") != null || state.get("_parameters") != null);
  }

  private StateDict module(Opaque module) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    collect(module, "", 0, tensors);
    return new StateDict(
        tensors,
        Map.of(),
        List.of(),
        List.of("took the tensors of a pickled " + Description.of(module.type())));
  }

  /** As {@code state_dict()} of PyTorch's Module does: its own, then those of modules within. */
  private void collect(Opaque module, String prefix, int depth, Map<String, Tensor> tensors) {
    if (depth > MAX_MODULE_DEPTH || !(module.state() instanceof Dict state)) {
      return;
    }
    Set<Object> transientNames = items(state.get("_non_persistent_buffers_set"));
    for (String group : List.of("_parameters", "_buffers")) {
      entries(state.get(group))
          .forEach(
              (key, value) -> {
                if (value instanceof Tensor tensor && !transientNames.contains(key)) {
                  tensors.putIfAbsent(named(prefix, key), tensor);
                }
              });
    }
    entries(state.get("_modules"))
        .forEach(
            (key, value) -> {
              if (value instanceof Opaque inner) {
                collect(inner, named(prefix, key) + ".", depth + 1, tensors);
              }
            });
  }

  private String named(String prefix, Object key) {
    String name = prefix + key;
    count(STEPS_PER_NAME + name.length());
    return name;
  }

  private void count(int more) {
    steps += more;
    if (steps > MAX_STEPS) {
      throw new CorruptFileException(file, "has modules that hold one another without end");
    }
  }

  private Map<Object, Object> entries(Object value) {
    Map<Object, Object> entries =
        switch (value) {
          case Dict dict -> dict.entries();
          case Opaque opaque -> opaque.items().entries();
          case null, default -> Map.of();
        };
    count(entries.size());
    return entries;
  }

  /** A set is written as itself or as a call of its class with a list. */
  private Set<Object> items(Object set) {
    Object list = set instanceof Opaque call ? call.arguments().item(0) : set;
    Set<Object> items = new HashSet<>();
    if (list instanceof Sequence sequence) {
      count(sequence.items().size());
      sequence.items().stream().filter(String.class::isInstance).forEach(items::add);
    }
    return items;
  }
}
