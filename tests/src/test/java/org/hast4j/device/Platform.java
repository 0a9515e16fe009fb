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
  CUDA(Backend.CUDA, ConvolutionChoice.OWN),
  /** A GPU whose convolutions are cuDNN's. */
  CUDNN(Backend.CUDA, ConvolutionChoice.CUDNN);

  private static final Path EMULATED_LIBRARY =
      Path.of("../cuda-kernels/target/cmake/libhast_emu.so");

  private final Backend backend;
  private final ConvolutionChoice convolutions;

  Platform(Backend backend, ConvolutionChoice convolutions) {
    this.backend = backend;
    this.convolutions = convolutions;
  }

  public KernelLibrary load() {
    return this == EMULATED
        ? KernelLibrary.load(backend, EMULATED_LIBRARY)
        : KernelLibrary.load(backend);
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
    if (this == EMULATED) {
      return Files.exists(EMULATED_LIBRARY)
          ? Optional.empty()
          : Optional.of(List.of(EMULATED_LIBRARY + " is not built"));
    }
    return switch (KernelLibrary.probe(backend)) {
      case Availability.Available _ -> this == CUDNN ? cudnnReasons() : Optional.empty();
      case Availability.Unavailable unavailable -> Optional.of(unavailable.reasons());
    };
  }

  private static Optional<List<String>> cudnnReasons() {
    return switch (CudnnLibrary.probe()) {
      case CudnnAvailability.Available _ -> Optional.empty();
      case CudnnAvailability.Unavailable unavailable -> Optional.of(List.of(unavailable.reason()));
    };
  }
}
