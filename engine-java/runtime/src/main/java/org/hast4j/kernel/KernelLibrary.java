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
import java.net.URLConnection;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.ServiceLoader;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.zip.CRC32C;
import org.hast4j.failure.Remedy;
import org.hast4j.failure.UnavailableException;
import org.hast4j.io.AtomicFile;
import org.hast4j.kernel.abi.Abi;
import org.hast4j.kernel.abi.DeviceCount;
import org.hast4j.kernel.abi.DeviceDescribe;
import org.hast4j.kernel.abi.StreamCreate;
import org.hast4j.kernel.abi.StreamDestroy;
import org.hast4j.natives.KernelLocator;

/**
 * A loaded kernel library; nothing of it may be used after it is closed. Closing it unloads the
 * CPU's library. The CUDA runtime does not stand that, so a GPU's stays mapped until the process
 * ends.
 *
 * <p>The library is a resource of another artifact, hast4j-native or hast4j-cuda-kernels with the
 * platform as its classifier, which may lie on the class path or on the module path. It is loaded
 * from a copy in the temporary folder, which is gone when it is loaded; or, where the system
 * property {@value #FOLDER} names a folder, from a copy that stays there and is used again.
 */
public final class KernelLibrary implements AutoCloseable {
  /**
   * System property: a folder to load the libraries from, for machines whose temporary folder
   * cannot be written or forbids programs. What it lacks is put there once.
   */
  public static final String FOLDER = "org.hast4j.natives.folder";

  private static final String DRIVER = "libcuda.so.1";

  /** What to do where there is no driver, or too old a one. */
  static final String DRIVER_ADVICE =
      "install an NVIDIA driver for CUDA 13 (580 or newer), or use the CPU";

  private static final String CHOOSE =
      "-D" + FOLDER + "=<folder> in JDK_JAVA_OPTIONS chooses another";

  // Of dlopen: with the second it answers with what is mapped already, or with nothing.
  private static final int RTLD_LAZY = 1;
  private static final int RTLD_NOLOAD = 4;

  // What tells a library from others, before any call is bound.
  private static final MethodHandle VERSION =
      Linker.nativeLinker().downcallHandle(FunctionDescriptor.of(JAVA_INT));
  private static final MethodHandle STATUS_TEXT =
      Linker.nativeLinker().downcallHandle(FunctionDescriptor.of(ADDRESS, JAVA_INT));
  private static final int DESCRIPTION_BYTES = 512;

  private final Arena arena;
  private final String name;
  private final SymbolLookup symbols;
  private final Map<String, MemorySegment> functions = new HashMap<>();
  private final Backend backend;
  private final URL source;

  private KernelLibrary(
      Arena arena, String name, SymbolLookup symbols, Backend backend, URL source) {
    this.arena = arena;
    this.name = name;
    this.symbols = symbols;
    this.backend = backend;
    this.source = source;
  }

  /**
   * Loads a backend's library from the program's resources.
   *
   * @throws UnavailableException if this build does not hold it, or it does not load here
   */
  public static KernelLibrary load(Backend backend) {
    URL resource = find(backend);
    if (resource == null) {
      throw switch (backend) {
        case CPU -> new UnavailableException(missing(backend));
        case CUDA -> new UnavailableException(missing(backend), Remedy.USE_CPU);
      };
    }
    if (backend == Backend.CUDA && isMapped(backend.fileName())) {
      // It stays mapped for good, and so would every further copy of it.
      return load(
          backend,
          backend.fileName(),
          arena -> SymbolLookup.libraryLookup(backend.fileName(), arena),
          resource);
    }
    if (resource.getProtocol().equals("file")) {
      try {
        return load(backend, Path.of(resource.toURI()), resource);
      } catch (URISyntaxException e) {
        throw new IllegalStateException("cannot locate " + resource, e);
      }
    }
    String folder = System.getProperty(FOLDER);
    if (folder != null) {
      return load(backend, kept(Path.of(folder), resource, backend), resource);
    }
    Path copy = temporary(resource, backend);
    try {
      return load(backend, copy, resource);
    } finally {
      // The mapping outlives the name: only a process killed while it loads leaves the copy behind.
      delete(copy);
    }
  }

  /**
   * Loads a library that stands in for a backend's: one built apart, or the emulated one.
   *
   * @throws UnavailableException if it does not load here or has another ABI
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
      KernelLibrary library =
          new KernelLibrary(arena, name, symbols(name, () -> open.apply(arena)), backend, source);
      library.bind();
      return library;
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
      int count = library.deviceCount();
      if (count == 0) {
        return new Availability.Unavailable(
            List.of(
                "the driver reports no device: is one installed, and is CUDA_VISIBLE_DEVICES"
                    + " right?"));
      }
      return probe(library, count);
    } catch (KernelException | UnavailableException | UncheckedIOException e) {
      return new Availability.Unavailable(List.of(e.getMessage()));
    }
  }

  private static Availability probe(KernelLibrary library, int count) {
    List<String> devices = new ArrayList<>();
    List<String> reasons = new ArrayList<>();
    // Opening a stream selects its device for this thread: the first, tried last, is what stays.
    for (int ordinal = count - 1; ordinal >= 0; ordinal--) {
      String device = library.describe(ordinal);
      try {
        // Opening a stream finds out what only shows when work is sent: a device that is too old,
        // or held by another process.
        long stream = new StreamCreate(library).ordinal(ordinal).threads(1).pin(0).call().stream();
        new StreamDestroy(library).launch(stream);
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

  public Backend backend() {
    return backend;
  }

  /** Eight hexadecimal digits that change with the content of the library. */
  public String checksum() {
    try {
      return checksum(bytes(source));
    } catch (IOException e) {
      throw new UncheckedIOException("cannot read " + source, e);
    }
  }

  private static String checksum(byte[] library) {
    CRC32C checksum = new CRC32C();
    checksum.update(library);
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

  private static SymbolLookup symbols(String name, Supplier<SymbolLookup> open) {
    try {
      return open.get();
    } catch (IllegalArgumentException e) {
      throw new UnavailableException(
          name
              + " does not load here (it is built for "
              + platform()
              + " with glibc, and the folder it is copied to must allow programs; "
              + CHOOSE
              + "): "
              + e.getMessage(),
          e);
    }
  }

  /** Finds every function of the ABI, of the version this program was built for. */
  private void bind() {
    int version;
    try {
      version = (int) VERSION.invokeExact(find("hast_abi_version"));
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("cannot ask " + name + " for its version", e);
    }
    if (version != Abi.ABI_VERSION) {
      throw new UnavailableException(
          "%s has ABI version %d, this program needs %d: build both from the same sources"
              .formatted(name, version, Abi.ABI_VERSION));
    }
    Abi.FUNCTIONS.forEach(function -> functions.put(function, find(function)));
  }

  private MemorySegment find(String symbol) {
    return symbols
        .find(symbol)
        .orElseThrow(
            () ->
                new UnavailableException(
                    name + " lacks " + symbol + ": build it from the same sources"));
  }

  /** The address of a function. */
  MemorySegment symbol(String function) {
    return functions.get(function);
  }

  /** The library's text for a status code. */
  public String statusText(int status) {
    try {
      MemorySegment text =
          (MemorySegment) STATUS_TEXT.invokeExact(find("hast_status_text"), status);
      return text.reinterpret(Long.MAX_VALUE).getString(0);
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("cannot ask " + name + " for a text", e);
    }
  }

  /** Number of devices that this library can drive. */
  public int deviceCount() {
    return new DeviceCount(this).call().count();
  }

  /** A device in one line for people. */
  public String describe(int ordinal) {
    byte[] text = new byte[DESCRIPTION_BYTES];
    new DeviceDescribe(this)
        .text(MemorySegment.ofArray(text))
        .textBytes(text.length)
        .ordinal(ordinal)
        .call();
    return MemorySegment.ofArray(text).getString(0);
  }

  private static Path temporary(URL resource, Backend backend) {
    Path file = null;
    try {
      file = Files.createTempFile("hast", backend.fileName());
      Files.write(file, bytes(resource));
      return file;
    } catch (IOException e) {
      if (file != null) {
        delete(file);
      }
      throw new UncheckedIOException(
          "cannot copy %s to the temporary folder %s; is it full or unwritable? %s"
              .formatted(backend.fileName(), System.getProperty("java.io.tmpdir"), CHOOSE),
          e);
    }
  }

  /** A copy whose name says what is in it: another version's lies beside it. */
  private static Path kept(Path folder, URL resource, Backend backend) {
    try {
      byte[] library = bytes(resource);
      Path file = folder.resolve(checksum(library) + "-" + backend.fileName());
      if (!Files.exists(file) || !Arrays.equals(Files.readAllBytes(file), library)) {
        Files.createDirectories(folder);
        AtomicFile.write(file, library);
      }
      return file;
    } catch (IOException e) {
      throw new UncheckedIOException(
          "cannot copy %s to %s, which %s names".formatted(backend.fileName(), folder, FOLDER), e);
    }
  }

  private static byte[] bytes(URL resource) throws IOException {
    // No cache of open jars: it would keep a replaced one's content.
    URLConnection connection = resource.openConnection();
    connection.setUseCaches(false);
    try (InputStream in = connection.getInputStream()) {
      return in.readAllBytes();
    }
  }

  private static void delete(Path file) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot delete " + file, e);
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

  /** Where the library is, null if there is none. */
  private static URL find(Backend backend) {
    String resource = "org/hast4j/native/" + platform() + "/" + backend.fileName();
    ClassLoader loader = KernelLibrary.class.getClassLoader();
    // Not through the class: in a named module that would look at this module's own resources only.
    URL found = loader.getResource(resource);
    if (found != null) {
      return found;
    }
    return ServiceLoader.load(KernelLocator.class, loader).stream()
        .map(provider -> provider.get().find(resource))
        .filter(Objects::nonNull)
        .findFirst()
        .orElse(null);
  }

  /** This machine as the libraries' classifiers name it: linux-x86_64. */
  private static String platform() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT).replace(' ', '-');
    String arch = System.getProperty("os.arch");
    return os + "-" + (arch.equals("amd64") ? "x86_64" : arch);
  }

  private static String missing(Backend backend) {
    return switch (backend) {
      case CPU ->
          "there is no %s for %s: add hast4j-native with the classifier %2$s to the class path or module path (linux-x86_64 is built and tested; mvn package builds it with a C++ compiler, CMake and Ninja)"
              .formatted(backend.fileName(), platform());
      case CUDA ->
          "this build holds no CUDA kernels ("
              + backend.fileName()
              + "): build it where nvcc 13 is found, or use the CPU";
    };
  }
}
