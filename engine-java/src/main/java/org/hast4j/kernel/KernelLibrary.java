package org.hast4j.kernel;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.net.MalformedURLException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
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
              + " into the temporary folder; is it full or unwritable?",
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
    Arena arena = Arena.ofShared();
    try {
      return new KernelLibrary(arena, bind(file, arena), backend, source);
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
      return new Availability.Unavailable(
          List.of(DRIVER + " does not load: install the NVIDIA driver, or use --device cpu"));
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
      // Opening a stream finds out what only shows when work is sent: a device that is too old, or
      // held by another process.
      kernels.streamDestroy(kernels.streamCreate(0, 1, false));
      return new Availability.Available(
          IntStream.range(0, count).mapToObj(kernels::deviceDescribe).toList());
    } catch (RuntimeException e) {
      return new Availability.Unavailable(List.of(String.valueOf(e.getMessage())));
    }
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

  private static Kernels bind(Path file, Arena arena) {
    SymbolLookup lookup;
    try {
      lookup = SymbolLookup.libraryLookup(file, arena);
    } catch (IllegalArgumentException e) {
      throw new IllegalStateException(
          file.getFileName()
              + " does not load here (it is built for x86-64 Linux with glibc): "
              + e.getMessage(),
          e);
    }
    return new Kernels(
        new Kernels.Symbols() {
          @Override
          public MemorySegment find(String name) {
            return lookup
                .find(name)
                .orElseThrow(
                    () ->
                        new IllegalStateException(
                            file.getFileName()
                                + " lacks "
                                + name
                                + ": build it from the same sources"));
          }

          @Override
          public String library() {
            return file.getFileName().toString();
          }
        });
  }

  private static Path extract(URL resource, Backend backend) throws IOException {
    Path file = Files.createTempFile("hast", backend.fileName());
    try (InputStream in = resource.openStream()) {
      Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
    }
    return file;
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
