package org.hast4j.exec;

import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.hast4j.graph.TensorType.f32;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;

/** Storages, programs and frees in any order, against a list of who holds what. */
class MemoryLawTest {
  private static final TensorType TYPE = f32(64);
  private static final int STORAGES = 6;
  private static final int STEPS = 60;
  private static final String PROGRAM = "program ";

  @Property(tries = 100)
  void aStorageIsFreedIfNoLiveProgramHoldsItAndNeverComesBack(@ForAll long seed) {
    Random random = new Random(seed);
    List<Storage> storages =
        IntStream.range(0, STORAGES).mapToObj(i -> Storage.of("s" + i, TYPE)).toList();
    Map<Program, Set<Storage>> live = new HashMap<>();
    Set<Storage> freed = new HashSet<>();
    Set<Storage> there = new HashSet<>();
    try (OpenDevice device = Platform.CPU.open(1)) {
      try (Memory memory = new Memory(device)) {
        for (int step = 0; step < STEPS; step++) {
          Storage one = storages.get(random.nextInt(STORAGES));
          switch (random.nextInt(4)) {
            case 0 -> {
              Set<Storage> named = some(storages, random);
              if (named.stream().anyMatch(freed::contains)) {
                assertThatThrownBy(() -> Program.compile("none", doubling(named), memory))
                    .hasMessageContaining("was freed");
              } else {
                live.put(Program.compile(PROGRAM + step, doubling(named), memory), named);
                there.addAll(named);
              }
            }
            case 1 ->
                live.keySet().stream()
                    .findAny()
                    .ifPresent(
                        program -> {
                          program.close();
                          live.remove(program);
                        });
            case 2 -> {
              if (live.values().stream().anyMatch(held -> held.contains(one))) {
                assertThatThrownBy(() -> memory.free(one)).hasMessageContaining(one.name());
              } else {
                memory.free(one);
                freed.add(one);
                there.remove(one);
              }
            }
            default -> live.keySet().forEach(Program::run);
          }
          assertThat(memory.storages()).isEqualTo(there);
          Set<String> names = new HashSet<>(device.ledger().bytesByPurpose().keySet());
          names.removeIf(purpose -> purpose.startsWith(PROGRAM));
          assertThat(names).isEqualTo(there.stream().map(Storage::name).collect(toSet()));
        }
      }
      assertThat(device.ledger().bytes()).isZero();
    }
  }

  private static Set<Storage> some(List<Storage> storages, Random random) {
    List<Storage> shuffled = new ArrayList<>(storages);
    Collections.shuffle(shuffled, random);
    return new LinkedHashSet<>(shuffled.subList(0, 1 + random.nextInt(STORAGES)));
  }

  /** Doubles each of some storages. */
  private static Graph doubling(Set<Storage> named) {
    Graph graph = new Graph();
    for (Storage storage : named) {
      Value x = graph.variable(storage, TYPE);
      graph.keep(graph.value(new Elementwise.Add(), x, x), storage);
    }
    return graph;
  }
}
