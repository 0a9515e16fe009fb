package org.hast4j.source.torch;

import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.Safetensors;
import org.hast4j.io.StoredTensor;
import org.hast4j.source.Source;
import org.hast4j.source.torch.Pickled.Dict;
import org.hast4j.source.torch.Pickled.Sequence;
import org.hast4j.source.torch.Pickled.Storage;
import org.hast4j.source.torch.Pickled.Tensor;
import org.hast4j.source.torch.StateDictSearch.StateDict;
import org.hast4j.tensor.DType;
import org.hast4j.tensor.Shape;

/**
 * Reads what {@code torch.save} writes: a zip file with a pickle and a file for each storage, or,
 * up to version 1.5, pickles followed by storages.
 *
 * @see <a href="https://github.com/pytorch/pytorch/blob/main/torch/serialization.py">the writer</a>
 */
public final class TorchSource {
  private static final BigInteger MAGIC = new BigInteger("1950a86a20f9469cfc6c", 16);
  private static final long VERSION = 1001;
  private static final String PICKLE = "data.pkl";

  /** How often storages may be looked at by other tensors, and how much any of them may be. */
  private static final long MOST_VIEWS = 4;

  private static final long ALWAYS_BYTES = 1 << 22;

  private final Path file;

  private TorchSource(Path file) {
    this.file = file;
  }

  /**
   * Reads a zip file.
   *
   * @throws CorruptFileException if it is damaged, or PyTorch did not write it
   */
  public static Source zip(Path file, MemorySegment bytes) {
    return new TorchSource(file).zip(bytes);
  }

  /**
   * Reads a file that begins with a pickle.
   *
   * @throws CorruptFileException if it is damaged, or PyTorch did not write it
   */
  public static Source pickle(Path file, MemorySegment bytes) {
    return new TorchSource(file).pickle(bytes);
  }

  private Source zip(MemorySegment bytes) {
    ZipArchive archive = new ZipArchive(file, bytes);
    String pickle =
        archive.names().stream()
            .filter(name -> name.equals(PICKLE) || name.endsWith("/" + PICKLE))
            .min(Comparator.comparingInt(String::length))
            .orElseThrow(() -> corrupt(ZipContent.of(archive.names()).problem()));
    String folder = pickle.substring(0, pickle.length() - PICKLE.length());
    if (ZipContent.of(archive.names()) == ZipContent.TORCH_SCRIPT) {
      throw corrupt(ZipContent.TORCH_SCRIPT.problem());
    }
    String byteOrder = folder + "byteorder";
    MemorySegment big = MemorySegment.ofArray("big".getBytes(StandardCharsets.US_ASCII));
    if (archive.names().contains(byteOrder)) {
      MemorySegment order = archive.content(byteOrder);
      requireLittleEndian(
          order.byteSize() < big.byteSize() || order.asSlice(0, big.byteSize()).mismatch(big) >= 0);
    }
    PickleMachine machine = new PickleMachine(new PickleInput(file, archive.content(pickle)));
    Object root = machine.load();
    Map<String, MemorySegment> contents = new HashMap<>();
    return source(
        root, key -> contents.computeIfAbsent(key, k -> archive.content(folder + "data/" + k)));
  }

  private Source pickle(MemorySegment bytes) {
    PickleInput input = new PickleInput(file, bytes);
    PickleMachine machine = new PickleMachine(input);
    Object magic;
    try {
      magic = machine.load();
    } catch (CorruptFileException e) {
      throw new CorruptFileException(file, foreignPickle(machine, null), e);
    }
    if (!MAGIC.equals(magic)) {
      throw corrupt(foreignPickle(machine, magic));
    }
    Object version = machine.load();
    if (!Long.valueOf(VERSION).equals(version)) {
      throw corrupt(
          "has version %s of PyTorch's format, not %d; save it with another version of PyTorch"
              .formatted(Description.quoted(version), VERSION));
    }
    if (machine.load() instanceof Dict system) {
      requireLittleEndian(!Boolean.FALSE.equals(system.get("little_endian")));
    }
    Object root = machine.load();
    if (!(machine.load() instanceof Sequence keys)) {
      throw corrupt("lacks the list of its storages");
    }
    Map<String, MemorySegment> contents = storages(keys, machine.storages(), input);
    return source(
        root,
        key -> {
          if (!contents.containsKey(key)) {
            throw corrupt("lacks its storage " + Description.quoted(key));
          }
          return contents.get(key);
        });
  }

  /** The storages lie one behind the other, each behind the number of its values. */
  private Map<String, MemorySegment> storages(
      Sequence keys, Map<String, Storage> declared, PickleInput input) {
    Map<String, MemorySegment> contents = new HashMap<>();
    for (Object key : keys.items()) {
      // A number is no key, but is a value whose equality is safe to ask for.
      Storage storage = key instanceof String text ? declared.get(text) : null;
      if (storage == null) {
        throw corrupt("has a storage " + Description.quoted(key) + " that no tensor names");
      }
      long count = input.int64();
      if (count != storage.elements()) {
        throw corrupt(
            "has %d values in storage %s, which is declared with %d"
                .formatted(count, Description.quoted(key), storage.elements()));
      }
      contents.put(storage.key(), input.bytes(count * storage.type().bytes()));
    }
    return contents;
  }

  private void requireLittleEndian(boolean littleEndian) {
    if (!littleEndian) {
      throw corrupt(
          "has big-endian values; load and save it with PyTorch on a little-endian machine, such as"
              + " any with an x86 or ARM processor");
    }
  }

  private static String foreignPickle(PickleMachine machine, Object root) {
    String contents =
        root == null
            ? Description.quoted(machine.names())
            : Description.contents(root) + ", " + Description.quoted(machine.names());
    return "is a pickle that torch.save did not write, or is cut short; it names "
        + contents
        + ". Load it in Python and save its arrays as tensors: torch.save({name:"
        + " torch.as_tensor(array) for name, array in arrays.items()}, \"network.pth\")";
  }

  private Source source(Object root, Function<String, MemorySegment> contents) {
    StateDict found =
        new StateDictSearch(file)
            .find(root)
            .orElseThrow(
                () ->
                    corrupt(
                        "holds no tensors by name, but "
                            + Description.contents(root)
                            + "; save the network's own: torch.save(model.state_dict(),"
                            + " \"network.pth\")"));
    requireFewViews(found.tensors());
    Map<String, StoredTensor> tensors = new LinkedHashMap<>();
    Map<String, List<String>> omitted = new LinkedHashMap<>();
    found
        .tensors()
        .forEach(
            (name, tensor) -> {
              if (tensor.elements() == 0 || tensor.type().dtype().isEmpty()) {
                String reason =
                    tensor.elements() == 0 ? "without values" : "of type " + tensor.type();
                omitted.computeIfAbsent(reason, _ -> new ArrayList<>()).add(name);
              } else {
                MemorySegment content = contents.apply(tensor.storage().key());
                tensors.put(name, stored(name, tensor, tensor.type().dtype().get(), content));
              }
            });
    List<String> notes = new ArrayList<>(found.notes());
    omitted.forEach(
        (reason, names) ->
            notes.add("left out tensors " + reason + ": " + Description.quoted(names)));
    if (!found.others().isEmpty()) {
      Object first = found.others().values().iterator().next();
      notes.add(
          "left out what is no tensor, such as %s: %s"
              .formatted(Description.of(first), Description.quoted(found.others().keySet())));
    }
    return new Source(file, tensors, found.metadata(), Optional.empty(), notes);
  }

  /** A few bytes could be looked at as thousands of large tensors. */
  private void requireFewViews(Map<String, Tensor> tensors) {
    Set<String> keys = new HashSet<>();
    double stored = 0;
    double viewed = 0;
    for (Tensor tensor : tensors.values()) {
      Storage storage = tensor.storage();
      if (keys.add(storage.key())) {
        stored += (double) storage.elements() * storage.type().bytes();
      }
      viewed += (double) tensor.elements() * tensor.type().bytes();
    }
    if (viewed > ALWAYS_BYTES + MOST_VIEWS * stored) {
      throw corrupt(
          "has tensors of %.0f bytes that look at only %.0f; save contiguous ones, which"
                  .formatted(viewed, stored)
              + " tensor.contiguous() gives");
    }
  }

  private StoredTensor stored(String name, Tensor tensor, DType dtype, MemorySegment content) {
    Storage storage = tensor.storage();
    long needed = storage.elements() * storage.type().bytes();
    if (content.byteSize() < needed) {
      throw corrupt(
          "has %d bytes in storage %s, which is declared with %d"
              .formatted(content.byteSize(), Description.quoted(storage.key()), needed));
    }
    long start = storage.start() * storage.type().bytes() + tensor.offset() * dtype.bytes();
    MemorySegment rest = content.asSlice(start, needed - start);
    boolean isScalar = tensor.sizes().length == 0;
    Shape shape = isScalar ? Shape.of(1) : Shape.of(tensor.sizes());
    long[] strides = isScalar ? new long[1] : tensor.strides();
    return tensor.isContiguous()
        ? new Safetensors.Tensor(
            file, name, dtype, shape, rest.asSlice(0, shape.elements() * dtype.bytes()))
        : new StridedTensor(file, name, dtype, shape, strides, rest);
  }

  private CorruptFileException corrupt(String problem) {
    return new CorruptFileException(file, problem);
  }
}
