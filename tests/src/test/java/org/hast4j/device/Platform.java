package org.hast4j.device;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.hast4j.kernel.Availability;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Precision;
import org.hast4j.vendor.CudnnAvailability;
import org.hast4j.vendor.CudnnLibrary;
import org.junit.jupiter.api.Assumptions;

/** What a suite runs on: one of the three libraries that implement the C ABI, or cuDNN beside. */
public enum Platform {
  CPU(Backend.CPU, ConvolutionChoice.OWN),
  /** The CUDA sources compiled for the CPU, so that every machine tests them. */
  EMULATED(Backend.CUDA, ConvolutionChoice.OWN),
  /** The same, where a launch whose threads race fails. */
  WATCHED(Backend.CUDA, ConvolutionChoice.OWN),
  CUDA(Backend.CUDA, ConvolutionChoice.OWN),
  /** A GPU whose convolutions are cuDNN's. */
  CUDNN(Backend.CUDA, ConvolutionChoice.CUDNN);

  private static final Path EMULATED_LIBRARIES = Path.of("../cuda-kernels/target/cmake");

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

  public Device open(Device.Options options) {
    return Device.open(load(), options);
  }

  /** A device that computes in single precision, captured where it can be. */
  public Device open(int threads) {
    return open(options(threads, Precision.FP32, true));
  }

  /** This platform's convolutions, captured or kernel by kernel. */
  public Device.Options options(int threads, Precision precision, boolean captured) {
    return new Device.Options(threads, false, precision, captured, convolutions);
  }

  /** Skips the test, or the suite, where this platform cannot be used. */
  public void assumeUsable() {
    Assumptions.assumeTrue(reasons().isEmpty(), () -> this + " cannot be used: " + reasons());
  }

  /** Why this platform cannot be used here; empty if it can. */
  public Optional<List<String>> reasons() {
    Optional<Path> emulated = emulatedLibrary();
    if (emulated.isPresent()) {
      return Files.exists(emulated.get())
          ? Optional.empty()
          : Optional.of(List.of(emulated.get() + " is not built"));
    }
    return switch (KernelLibrary.probe(backend)) {
      case Availability.Available _ -> this == CUDNN ? cudnnReasons() : Optional.empty();
      case Availability.Unavailable unavailable -> Optional.of(unavailable.reasons());
    };
  }

  private Optional<Path> emulatedLibrary() {
    return switch (this) {
      case EMULATED -> Optional.of(EMULATED_LIBRARIES.resolve("libhast_emu.so"));
      case WATCHED -> Optional.of(EMULATED_LIBRARIES.resolve("libhast_emu_race.so"));
      case CPU, CUDA, CUDNN -> Optional.empty();
    };
  }

  private static Optional<List<String>> cudnnReasons() {
    return switch (CudnnLibrary.probe()) {
      case CudnnAvailability.Available _ -> Optional.empty();
      case CudnnAvailability.Unavailable unavailable -> Optional.of(List.of(unavailable.reason()));
    };
  }
}
