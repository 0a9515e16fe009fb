package org.hast4j.kernel;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.net.MalformedURLException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.zip.CRC32C;

/**
 * A loaded kernel library; nothing of it may be used after it is closed. Closing it unloads the
 * CPU's library. The CUDA runtime does not stand that, so a GPU's stays mapped until the process
 * ends.
 *
 * <p>The library is a resource of another artifact (hast4j-native), found through the class loader:
 * its jar may lie on the class path or, as an automatic module, on the module path.
 */
public final class KernelLibrary implements AutoCloseable {
  private static final String DRIVER = "libcuda.so.1";

  /** What to do where there is no driver, or too old a one. */
  static final String DRIVER_ADVICE =
      "install an NVIDIA driver for CUDA 13 (580 or newer), or use --device cpu";

  // Of dlopen: with the second it answers with what is mapped already, or with nothing.
  private static final int RTLD_LAZY = 1;
  private static final int RTLD_NOLOAD = 4;

  private final Arena arena;
  private final Kernels kernels;
  private final Backend backend;
  private final URL source;

  private KernelLibrary(Arena arena, Kernels kernels, Backend backend, URL source) {
    this.arena = arena;
    this.kernels = kernels;
    this.backend = backend;
    this.source = source;
  }

  /**
   * Loads a backend's library from the program's resources.
   *
   * @throws IllegalStateException if this build does not hold it, or it does not load here
   */
  public static KernelLibrary load(Backend backend) {
    URL resource = find(backend);
    if (resource == null) {
      throw new IllegalStateException(missing(backend));
    }
    if (backend == Backend.CUDA && isMapped(backend.fileName())) {
      // It stays mapped for good, and so would every further copy of it.
      return load(
          backend,
          backend.fileName(),
          arena -> SymbolLookup.libraryLookup(backend.fileName(), arena),
          resource);
    }
    try {
      Path extracted = resource.getProtocol().equals("file") ? null : extract(resource, backend);
      try {
        return load(backend, extracted != null ? extracted : Path.of(resource.toURI()), resource);
      } finally {
        if (extracted != null) {
          // The mapping outlives the name: only a process killed while it loads leaves the copy
          // behind.
          Files.deleteIfExists(extracted);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(
          "cannot unpack "
              + backend.fileName()
              + " into the temporary folder; is it full or unwritable?"
              + " JDK_JAVA_OPTIONS=-Djava.io.tmpdir=<folder> chooses another",
          e);
    } catch (URISyntaxException e) {
      throw new IllegalStateException("cannot locate " + resource, e);
    }
  }

  /**
   * Loads a library that stands in for a backend's: one built apart, or the emulated one.
   *
   * @throws IllegalStateException if it does not load here or has another ABI
   */
  public static KernelLibrary load(Backend backend, Path file) {
    try {
      return load(backend, file, file.toUri().toURL());
    } catch (MalformedURLException e) {
      throw new IllegalStateException("cannot locate " + file, e);
    }
  }

  private static KernelLibrary load(Backend backend, Path file, URL source) {
    return load(
        backend,
        file.getFileName().toString(),
        arena -> SymbolLookup.libraryLookup(file, arena),
        source);
  }

  private static KernelLibrary load(
      Backend backend, String name, Function<Arena, SymbolLookup> open, URL source) {
    Arena arena = Arena.ofShared();
    try {
      return new KernelLibrary(arena, bind(name, () -> open.apply(arena)), backend, source);
    } catch (RuntimeException e) {
      arena.close();
      throw e;
    }
  }

  /** Says whether a backend can be used, and leaves nothing open. */
  public static Availability probe(Backend backend) {
    if (find(backend) == null) {
      return new Availability.Unavailable(List.of(missing(backend)));
    }
    if (backend == Backend.CUDA && !driverLoads()) {
      return new Availability.Unavailable(List.of(DRIVER + " does not load: " + DRIVER_ADVICE));
    }
    try (KernelLibrary library = load(backend)) {
      Kernels kernels = library.kernels();
      int count = kernels.deviceCount();
      if (count == 0) {
        return new Availability.Unavailable(
            List.of(
                "the driver reports no device: is one installed, and is CUDA_VISIBLE_DEVICES"
                    + " right?"));
      }
      return probe(kernels, count);
    } catch (RuntimeException e) {
      return new Availability.Unavailable(List.of(String.valueOf(e.getMessage())));
    }
  }

  private static Availability probe(Kernels kernels, int count) {
    List<String> devices = new ArrayList<>();
    List<String> reasons = new ArrayList<>();
    // Opening a stream selects its device for this thread: the first, tried last, is what stays.
    for (int ordinal = count - 1; ordinal >= 0; ordinal--) {
      String device = kernels.deviceDescribe(ordinal);
      try {
        // Opening a stream finds out what only shows when work is sent: a device that is too old,
        // or held by another process.
        kernels.streamDestroy(kernels.streamCreate(ordinal, 1, false));
      } catch (KernelException e) {
        device += "; cannot be used: " + e.getMessage();
        reasons.addFirst(count == 1 ? e.getMessage() : "device %d: %s".formatted(ordinal, device));
      }
      devices.addFirst(device);
    }
    return reasons.size() < count
        ? new Availability.Available(devices)
        : new Availability.Unavailable(reasons);
  }

  public Kernels kernels() {
    return kernels;
  }

  public Backend backend() {
    return backend;
  }

  /** Eight hexadecimal digits that change with the content of the library. */
  public String checksum() {
    CRC32C checksum = new CRC32C();
    try (InputStream in = source.openStream()) {
      checksum.update(in.readAllBytes());
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + source, e);
    }
    return "%08x".formatted(checksum.getValue());
  }

  @Override
  public void close() {
    arena.close();
  }

  /** Whether this process has a library of this name already. */
  private static boolean isMapped(String name) {
    Linker linker = Linker.nativeLinker();
    MethodHandle open =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("dlopen"),
            FunctionDescriptor.of(ADDRESS, ADDRESS, JAVA_INT));
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment handle =
          (MemorySegment) open.invokeExact(arena.allocateFrom(name), RTLD_LAZY | RTLD_NOLOAD);
      return handle.address() != 0;
    } catch (Throwable e) {
      throw new IllegalStateException("cannot ask for " + name, e);
    }
  }

  private static Kernels bind(String name, Supplier<SymbolLookup> open) {
    SymbolLookup lookup;
    try {
      lookup = open.get();
    } catch (IllegalArgumentException e) {
      throw new IllegalStateException(
          name
              + " does not load here (it is built for x86-64 Linux with glibc, and the temporary"
              + " folder must allow programs; JDK_JAVA_OPTIONS=-Djava.io.tmpdir=<folder> chooses"
              + " another): "
              + e.getMessage(),
          e);
    }
    return new Kernels(
        new Kernels.Symbols() {
          @Override
          public MemorySegment find(String symbol) {
            return lookup
                .find(symbol)
                .orElseThrow(
                    () ->
                        new IllegalStateException(
                            name + " lacks " + symbol + ": build it from the same sources"));
          }

          @Override
          public String library() {
            return name;
          }
        });
  }

  private static Path extract(URL resource, Backend backend) throws IOException {
    Path file = Files.createTempFile("hast", backend.fileName());
    try (InputStream in = resource.openStream()) {
      Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
      return file;
    } catch (IOException e) {
      Files.delete(file);
      throw e;
    }
  }

  /** Whether there is an NVIDIA driver, which everything that uses a GPU needs. */
  public static boolean driverLoads() {
    try (Arena arena = Arena.ofConfined()) {
      SymbolLookup.libraryLookup(DRIVER, arena);
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  /** Where the library is, null if this build does not hold it. */
  private static URL find(Backend backend) {
    // Not through the class: in a named module that would look at this module's own resources only.
    return KernelLibrary.class.getClassLoader().getResource(resource(backend));
  }

  private static String resource(Backend backend) {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String arch =
        System.getProperty("os.arch").equals("amd64") ? "x86_64" : System.getProperty("os.arch");
    return "org/hast4j/native/" + os + "-" + arch + "/" + backend.fileName();
  }

  private static String missing(Backend backend) {
    return switch (backend) {
      case CPU ->
          backend.fileName()
              + " is not part of this build: run `mvn package` with a C++ compiler, CMake and"
              + " Ninja";
      case CUDA ->
          "this build holds no CUDA kernels ("
              + backend.fileName()
              + "): build it where nvcc 13 is found, or use --device cpu";
    };
  }
}
