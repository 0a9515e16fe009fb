package org.hast4j.vendor;

import java.io.File;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.bytedeco.cuda.global.cudnn;
import org.bytedeco.javacpp.Loader;
import org.hast4j.kernel.KernelLibrary;

/**
 * Finds cuDNN. Everything that may be missing is looked for before the binding is touched, whose
 * classes would fail for good where a library is not there.
 */
public final class CudnnLibrary {
  /** System property with the folders that JavaCPP looks for libraries in first. */
  private static final String FOLDERS = "org.bytedeco.javacpp.platform.preloadpath";

  private static final String BINDING = "org.bytedeco.cuda.global.cudnn";

  // What the binding is linked against, each after what it needs itself.
  private static final List<String> LIBRARIES =
      List.of(
          "libcudart.so.13",
          "libcublasLt.so.13",
          "libcublas.so.13",
          "libcudnn_graph.so.9",
          "libcudnn_ops.so.9",
          "libcudnn_cnn.so.9",
          "libcudnn_adv.so.9");

  private CudnnLibrary() {}

  /** Says whether cuDNN can be used, and loads it for good if so. */
  public static CudnnAvailability probe() {
    if (!KernelLibrary.driverLoads()) {
      return new CudnnAvailability.Unavailable("there is no NVIDIA driver");
    }
    if (!bindingIsThere()) {
      return new CudnnAvailability.Unavailable(
          "its binding is not on the class path: add org.bytedeco:cuda and org.bytedeco:javacpp,"
              + " each with its linux-x86_64 jar");
    }
    Optional<String> missing = missingLibrary();
    if (missing.isPresent()) {
      return new CudnnAvailability.Unavailable(
          ("%s does not load: install cuDNN 9 and cuBLAS for CUDA 13 (pip install nvidia-cudnn-cu13"
               + " nvidia-cuda-runtime) and name the folders of their libraries in LD_LIBRARY_PATH"
               + " or in -D%s")
              .formatted(missing.get(), FOLDERS));
    }
    try {
      Loader.load(cudnn.class);
      return new CudnnAvailability.Available(version(cudnn.cudnnGetVersion()));
    } catch (RuntimeException | LinkageError e) {
      return new CudnnAvailability.Unavailable("its binding does not load: " + e.getMessage());
    }
  }

  private static boolean bindingIsThere() {
    try {
      Class.forName(BINDING, false, CudnnLibrary.class.getClassLoader());
      return true;
    } catch (ClassNotFoundException | LinkageError e) {
      // The latter where it is there without JavaCPP, which its classes extend.
      return false;
    }
  }

  private static Optional<String> missingLibrary() {
    List<Path> folders =
        Stream.of(System.getProperty(FOLDERS, "").split(File.pathSeparator))
            .filter(folder -> !folder.isEmpty())
            .map(Path::of)
            .toList();
    // Those found stay loaded until the last is: the later ones need them.
    try (Arena arena = Arena.ofConfined()) {
      return LIBRARIES.stream()
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

  /** cuDNN counts 10 000 major + 100 minor + patch since its version 9. */
  private static String version(long number) {
    return "%d.%d.%d".formatted(number / 10_000, number / 100 % 100, number % 100);
  }
}
