package org.hast4j.device.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;

/**
 * The books of the libraries that stand in for NVIDIA's: {@code
 * cuda-kernels/emulation/vendor/stand_in.h}. Closing it ends all failures.
 */
public final class StandIns implements AutoCloseable {
  private final Arena arena = Arena.ofConfined();
  private final SymbolLookup library;
  private final Set<String> failing = new HashSet<>();

  StandIns(Path library) {
    this.library = SymbolLookup.libraryLookup(library, arena);
  }

  /** How often a function was called. */
  public long calls(String function) {
    try {
      return (long)
          handle("hast_stand_in_calls", FunctionDescriptor.of(JAVA_LONG, ADDRESS))
              .invokeExact(arena.allocateFrom(function));
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  /** Handles and descriptors that exist. */
  public long objects() {
    try {
      return (long) handle("hast_stand_in_objects", FunctionDescriptor.of(JAVA_LONG)).invokeExact();
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
  }

  /** Makes a function fail until this is closed, or its status is 0. */
  public void fail(String function, int status) {
    try {
      handle("hast_stand_in_fail", FunctionDescriptor.ofVoid(ADDRESS, JAVA_INT))
          .invokeExact(arena.allocateFrom(function), status);
    } catch (Throwable e) {
      throw new IllegalStateException(e);
    }
    failing.add(function);
  }

  private MethodHandle handle(String symbol, FunctionDescriptor descriptor) {
    return Linker.nativeLinker().downcallHandle(library.findOrThrow(symbol), descriptor);
  }

  @Override
  public void close() {
    Set.copyOf(failing).forEach(function -> fail(function, 0));
    arena.close();
  }
}
