package org.hast4j.device.driver;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;
import org.hast4j.kernel.Availability;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Precision;
import org.hast4j.vendor.VendorAvailability;
import org.hast4j.vendor.VendorLibrary;
import org.junit.jupiter.api.Assumptions;

/**
 * What a suite runs on: one of the three libraries that implement the C ABI, or NVIDIA's libraries
 * beside.
 */
public enum Platform {
  CPU(Backend.CPU, ConvolutionChoice.OWN),
  /** The CUDA sources compiled for the CPU, so that every machine tests them. */
  EMULATED(Backend.CUDA, ConvolutionChoice.OWN),
  /** The same, where a launch whose threads race fails. */
  WATCHED(Backend.CUDA, ConvolutionChoice.OWN),
  /** The same, where what kernels ask of memory is counted. */
  COUNTED(Backend.CUDA, ConvolutionChoice.OWN),
  CUDA(Backend.CUDA, ConvolutionChoice.OWN),
  /** A GPU whose convolutions are cuDNN's. */
  CUDNN(Backend.CUDA, ConvolutionChoice.CUDNN),
  /**
   * The emulated device beside libraries that stand in for NVIDIA's, in a process whose loader
   * looks for libraries where those are.
   */
  STANDIN(Backend.CUDA, ConvolutionChoice.CUDNN);

  private static final Path BUILT = Path.of("../cuda-kernels/target/cmake");

  /** The library of {@link #EMULATED}. */
  public static final Path EMULATED_LIBRARY = BUILT.resolve("libhast_emu.so");

  private static final Path WATCHED_LIBRARY = BUILT.resolve("libhast_emu_race.so");
  private static final Path COUNTED_LIBRARY = BUILT.resolve("libhast_emu_traffic.so");
  private static final Path STAND_INS = BUILT.resolve("stand-ins");

  /** System property with the libraries that the build makes: {@code all}, or not all. */
  private static final String KERNELS = "hast.kernels";

  /** System property that is {@code true} where the loader should find the stand-ins. */
  private static final String FINDS_STAND_INS = "hast.stand-ins";

  private final Backend backend;
  private final ConvolutionChoice convolutions;

  Platform(Backend backend, ConvolutionChoice convolutions) {
    this.backend = backend;
    this.convolutions = convolutions;
  }

  public KernelLibrary load() {
    return emulatedLibrary()
        .map(file -> KernelLibrary.load(backend, file))
        .orElseGet(() -> KernelLibrary.load(backend));
  }

  public OpenDevice open(OpenDevice.Options options) {
    return OpenDevice.open(load(), options);
  }

  /** What tells of the calls that {@link #STANDIN} makes. */
  public static StandIns standIns() {
    return new StandIns(STAND_INS.resolve("libhast_stand_in.so").toAbsolutePath());
  }

  /** What counts for {@link #COUNTED}. */
  public static Traffic traffic() {
    return new Traffic(COUNTED_LIBRARY.toAbsolutePath());
  }

  /** A device that computes in single precision, captured where it can be. */
  public OpenDevice open(int threads) {
    return open(options(threads, Precision.FP32, Launching.CAPTURED));
  }

  /** This platform's convolutions. */
  public OpenDevice.Options options(int threads, Precision precision, Launching launching) {
    return new OpenDevice.Options(threads, false, precision, launching, convolutions);
  }

  /**
   * Skips the test, or the suite, where this platform cannot be used.
   *
   * @throws IllegalStateException if the build that runs the tests makes all that it needs
   */
  public void assumeUsable() {
    if (isBuilt()) {
      reasons()
          .ifPresent(
              reasons -> {
                throw new IllegalStateException(this + " is built and cannot be used: " + reasons);
              });
    }
    Assumptions.assumeTrue(reasons().isEmpty(), () -> this + " cannot be used: " + reasons());
  }

  /** Whether the build that runs the tests, if one does, makes all that this needs. */
  private boolean isBuilt() {
    boolean all = "all".equals(System.getProperty(KERNELS));
    return switch (this) {
      case EMULATED, WATCHED, COUNTED -> all;
      case STANDIN -> all && Boolean.getBoolean(FINDS_STAND_INS);
      // These take a compiler, a driver or a GPU that not every machine has.
      case CPU, CUDA, CUDNN -> false;
    };
  }

  /** Why this platform cannot be used here; empty if it can. */
  public Optional<List<String>> reasons() {
    Optional<Path> emulated = emulatedLibrary();
    if (emulated.isPresent()) {
      if (!Files.exists(emulated.get())) {
        return Optional.of(List.of(emulated.get() + " is not built"));
      }
      return this == STANDIN ? standInReasons() : Optional.empty();
    }
    return switch (KernelLibrary.probe(backend)) {
      case Availability.Available _ -> this == CUDNN ? cudnnReasons() : Optional.empty();
      case Availability.Unavailable unavailable -> Optional.of(unavailable.reasons());
    };
  }

  private Optional<Path> emulatedLibrary() {
    return switch (this) {
      case EMULATED, STANDIN -> Optional.of(EMULATED_LIBRARY);
      case WATCHED -> Optional.of(WATCHED_LIBRARY);
      case COUNTED -> Optional.of(COUNTED_LIBRARY);
      case CPU, CUDA, CUDNN -> Optional.empty();
    };
  }

  /** NVIDIA's own libraries would take an emulated stream for one of theirs. */
  private static Optional<List<String>> standInReasons() {
    boolean lookedFor =
        Stream.of(Objects.requireNonNullElse(System.getenv("LD_LIBRARY_PATH"), "").split(":"))
            .findFirst()
            .map(Path::of)
            .filter(first -> first.equals(STAND_INS.toAbsolutePath().normalize()))
            .isPresent();
    return lookedFor
        ? cudnnReasons()
        : Optional.of(List.of("LD_LIBRARY_PATH does not begin with " + STAND_INS));
  }

  private static Optional<List<String>> cudnnReasons() {
    return switch (VendorLibrary.CUDNN.probe()) {
      case VendorAvailability.Available _ -> Optional.empty();
      case VendorAvailability.Unavailable unavailable -> Optional.of(List.of(unavailable.reason()));
    };
  }
}
