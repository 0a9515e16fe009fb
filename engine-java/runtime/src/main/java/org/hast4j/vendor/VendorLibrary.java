package org.hast4j.vendor;

import java.io.File;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.bytedeco.cuda.global.cublas;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.Loader;
import org.hast4j.kernel.KernelLibrary;

/**
 * NVIDIA's libraries that may compute in place of own kernels. Everything that may be missing is
 * looked for before a binding is touched, whose classes would fail for good where a library is not
 * there.
 */
public enum VendorLibrary {
  CUBLAS_LT(
      "cuBLASLt", "cublas", List.of("libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13")),
  // Its binding loads that of cuBLAS, too.
  CUDNN(
      "cuDNN",
      "cudnn",
      List.of(
          "libcudart.so.13",
          "libcublasLt.so.13",
          "libcublas.so.13",
          "libcudnn_graph.so.9",
          "libcudnn_ops.so.9",
          "libcudnn_cnn.so.9",
          "libcudnn_adv.so.9"));

  /** System property with the folders that JavaCPP looks for libraries in first. */
  private static final String FOLDERS = "org.bytedeco.javacpp.platform.preloadpath";

  private final String title;
  private final String binding;
  private final List<String> linked;

  /**
   * A library.
   *
   * @param linked what the binding is linked against, each after what it needs itself
   */
  VendorLibrary(String title, String binding, List<String> linked) {
    this.title = title;
    this.binding = "org.bytedeco.cuda.global." + binding;
    this.linked = linked;
  }

  @Override
  public String toString() {
    return title;
  }

  /** Says whether the library can be used, and loads it for good if so. */
  public VendorAvailability probe() {
    if (!KernelLibrary.driverLoads()) {
      return new VendorAvailability.Unavailable("there is no NVIDIA driver");
    }
    if (!bindingIsThere()) {
      return new VendorAvailability.Unavailable(
          "its binding is not on the class path: add org.bytedeco:cuda and org.bytedeco:javacpp,"
              + " each with its linux-x86_64 jar");
    }
    Optional<String> missing = missingLibrary();
    if (missing.isPresent()) {
      return new VendorAvailability.Unavailable(
          ("%s does not load: install cuDNN 9 and cuBLAS for CUDA 13 (pip install nvidia-cudnn-cu13"
               + " nvidia-cuda-runtime) and name the folders of their libraries in LD_LIBRARY_PATH"
               + " or in -D%s")
              .formatted(missing.get(), FOLDERS));
    }
    try {
      return new VendorAvailability.Available(version(load()));
    } catch (RuntimeException | LinkageError e) {
      return new VendorAvailability.Unavailable("its binding does not load: " + e.getMessage());
    }
  }

  /** The number of its version. */
  private long load() {
    return switch (this) {
      case CUBLAS_LT -> {
        Loader.load(cublas.class);
        yield cublas.cublasLtGetVersion();
      }
      case CUDNN -> {
        Loader.load(cudnn.class);
        yield cudnn.cudnnGetVersion();
      }
    };
  }

  private boolean bindingIsThere() {
    try {
      Class.forName(binding, false, VendorLibrary.class.getClassLoader());
      return true;
    } catch (ClassNotFoundException | LinkageError e) {
      // The latter where it is there without JavaCPP, which its classes extend.
      return false;
    }
  }

  private Optional<String> missingLibrary() {
    List<Path> folders =
        Stream.of(System.getProperty(FOLDERS, "").split(File.pathSeparator))
            .filter(folder -> !folder.isEmpty())
            .map(Path::of)
            .toList();
    // Those found stay loaded until the last is: the later ones need them.
    try (Arena arena = Arena.ofConfined()) {
      return linked.stream()
          .filter(
              name ->
                  folders.stream()
                          .noneMatch(
                              folder ->
                                  loads(
                                      () ->
                                          SymbolLookup.libraryLookup(folder.resolve(name), arena)))
                      && !loads(() -> SymbolLookup.libraryLookup(name, arena)))
          .findFirst();
    }
  }

  private static boolean loads(Supplier<SymbolLookup> library) {
    try {
      library.get();
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  /** Both count 10 000 major + 100 minor + patch in the versions that are linked against. */
  private static String version(long number) {
    return "%d.%d.%d".formatted(number / 10_000, number / 100 % 100, number % 100);
  }
}
