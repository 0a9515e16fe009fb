package org.hast4j.device.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * The counter of memory traffic: {@code cuda-kernels/emulation/traffic.cpp} tells what it counts.
 */
public final class Traffic implements AutoCloseable {
  public static final long SECTOR_BYTES = 32;

  /**
   * What kernels have asked of memory.
   *
   * @param sectors of global memory
   * @param leastSectors that hold the same bytes
   * @param passes over the banks of shared memory
   * @param leastPasses that the same words take without conflicts
   */
  public record Counts(long sectors, long leastSectors, long passes, long leastPasses) {
    /** Sectors beside the least, 1 if there are none. */
    public double global() {
      return leastSectors == 0 ? 1 : (double) sectors / leastSectors;
    }

    /** Passes beside the least, 1 if there are none. */
    public double shared() {
      return leastPasses == 0 ? 1 : (double) passes / leastPasses;
    }
  }

  private static final int COUNTS = 4;

  private final Arena arena = Arena.ofConfined();
  private final MethodHandle take;
  private final MethodHandle print;
  private final MemorySegment counts = arena.allocate(JAVA_LONG, COUNTS);

  Traffic(Path library) {
    SymbolLookup symbols = SymbolLookup.libraryLookup(library, arena);
    Linker linker = Linker.nativeLinker();
    take =
        linker.downcallHandle(
            symbols.findOrThrow("hast_traffic_take"), FunctionDescriptor.ofVoid(ADDRESS));
    print =
        linker.downcallHandle(
            symbols.findOrThrow("hast_traffic_print"), FunctionDescriptor.ofVoid(JAVA_INT));
  }

  /** Counts since the last call; no kernel may run. */
  public Counts take() {
    try {
      take.invokeExact(counts);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
    return new Counts(
        counts.getAtIndex(JAVA_LONG, 0),
        counts.getAtIndex(JAVA_LONG, 1),
        counts.getAtIndex(JAVA_LONG, 2),
        counts.getAtIndex(JAVA_LONG, 3));
  }

  /** Prints the places in the kernels' code that ask for most more than the least. */
  public void print(int most) {
    try {
      print.invokeExact(most);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    arena.close();
  }
}
