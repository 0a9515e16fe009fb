package org.hast4j.source;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.CorruptFileException;
import org.hast4j.io.StoredTensor;
import org.hast4j.io.UnreadableFileException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Law: whatever a file's bytes are, reading it ends soon, takes memory in proportion to them, and
 * succeeds or fails by one of the documented exceptions.
 *
 * <p>The build tries 1000 files; {@code -Dhast.mutations=1000000} tries more of the same sequence.
 */
class MutationTest {
  private static final int TRIES = Integer.getInteger("hast.mutations", 1000);
  private static final Path FILE = Path.of("mutation");
  private static final long MOST_NANOSECONDS = 2_000_000_000L;
  private static final long BASE_BYTES = 64 << 20;
  private static final long BYTES_PER_BYTE = 20;

  private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

  @TempDir Path folder;

  /**
   * A good file.
   *
   * @param name for messages
   * @param bytes what is changed
   * @param file makes a file of it, where that is a part of one
   */
  private record Seed(String name, byte[] bytes, UnaryOperator<byte[]> file) {
    Seed(String name, byte[] bytes) {
      this(name, bytes, UnaryOperator.identity());
    }
  }

  /** A format joins by its files here. */
  private List<Seed> seeds() throws IOException {
    List<Seed> seeds = new ArrayList<>();
    for (String name : List.of("zip-p2", "zip-p4", "legacy-p2", "legacy-p4", "module-zip")) {
      try (InputStream in = MutationTest.class.getResourceAsStream(name + ".pth")) {
        seeds.add(new Seed(name, in.readAllBytes()));
      }
    }
    for (String name : List.of("zip-p2", "zip-p5", "module-zip")) {
      Map<String, byte[]> entries = entries(name + ".pth");
      byte[] pickle = entries.get(name + "/data.pkl");
      seeds.add(
          new Seed(
              "pickle of " + name,
              pickle,
              changed -> {
                Map<String, byte[]> others = new LinkedHashMap<>(entries);
                others.put(name + "/data.pkl", changed);
                return TorchFiles.zipOf(others, ZipEntry.STORED);
              }));
    }
    Object tensor =
        PickleWriter.tensor(
            PickleWriter.storage("FloatStorage", "0", 4), 0, List.of(2L, 2L), List.of(1L, 2L));
    byte[] pickle =
        PickleWriter.pickle(Map.of("state_dict", Map.of("w", tensor, "v", tensor), "epoch", 3));
    Map<String, byte[]> storages = Map.of("0", TorchFiles.floats(1, 2, 3, 4));
    seeds.add(new Seed("small zip", TorchFiles.zip(pickle, storages)));
    seeds.add(new Seed("deflated zip", TorchFiles.zip(pickle, storages, ZipEntry.DEFLATED)));
    seeds.add(new Seed("small legacy", TorchFiles.legacy(pickle, storages, Float.BYTES)));
    String header =
        "{\"__metadata__\":{\"k\":\"v\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
            + "\"m\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[8,11]}}";
    byte[] length = {(byte) header.length(), 0, 0, 0, 0, 0, 0, 0};
    seeds.add(
        new Seed(
            "safetensors",
            PickleWriter.raw(
                length, header.getBytes(StandardCharsets.US_ASCII), "\0\0\0\0\0\0\0\0\1\0\1")));
    String index = "{\"metadata\":{\"total_size\":1},\"weight_map\":{\"a\":\"1\",\"b\":\"2\"}}";
    seeds.add(new Seed("index", index.getBytes(StandardCharsets.US_ASCII)));
    return seeds;
  }

  private Map<String, byte[]> entries(String name) throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    Path copy = folder.resolve(name);
    try (InputStream in = MutationTest.class.getResourceAsStream(name)) {
      Files.copy(in, copy);
    }
    try (ZipFile zip = new ZipFile(copy.toFile())) {
      for (ZipEntry entry : Collections.list(zip.entries())) {
        entries.put(entry.getName(), zip.getInputStream(entry).readAllBytes());
      }
    }
    return entries;
  }

  /** Reads everything and returns whether that was possible. */
  private static boolean isRead(byte[] bytes) {
    try {
      Source source = Source.read(FILE, MemorySegment.ofArray(bytes));
      for (StoredTensor tensor : source.tensors().values()) {
        if (tensor.dtype().isFloating()) {
          assertThat(tensor.floats()).hasSize((int) tensor.shape().elements());
        }
      }
      return true;
    } catch (CorruptFileException | RefusedException | UnreadableFileException e) {
      assertThat(e.getMessage()).contains(FILE.toString()).hasSizeLessThan(3000);
      return false;
    }
  }

  @Test
  void filesAreReadOrRefused() throws IOException {
    List<Seed> seeds = seeds();
    Map<Boolean, Integer> outcomes = new HashMap<>();
    for (int i = 0; i < TRIES; i++) {
      Seed seed = seeds.get(i % seeds.size());
      byte[] bytes = seed.file.apply(Mutation.of(seed.bytes, new Random(i)));
      long thread = Thread.currentThread().threadId();
      long allocated = THREADS.getThreadAllocatedBytes(thread);
      long time = THREADS.getCurrentThreadCpuTime();
      try {
        outcomes.merge(isRead(bytes), 1, Integer::sum);
      } catch (RuntimeException | Error e) {
        throw new AssertionError("case %d, of %s".formatted(i, seed.name), e);
      }
      assertThat(THREADS.getCurrentThreadCpuTime() - time)
          .as("nanoseconds of case %d, of %s", i, seed.name)
          .isLessThan(MOST_NANOSECONDS);
      assertThat(THREADS.getThreadAllocatedBytes(thread) - allocated)
          .as("bytes allocated by case %d, of %s, for %d", i, seed.name, bytes.length)
          .isLessThan(BASE_BYTES + BYTES_PER_BYTE * bytes.length);
    }
    // Mutations that all files survived, or none, would show nothing.
    assertThat(outcomes.get(true)).isGreaterThan(TRIES / 20);
    assertThat(outcomes.get(false)).isGreaterThan(TRIES / 4);
  }
}
