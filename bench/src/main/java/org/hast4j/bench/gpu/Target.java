package org.hast4j.bench.gpu;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.hast4j.device.driver.ConvolutionChoice;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Precision;
import org.hast4j.vendor.VendorAvailability;
import org.hast4j.vendor.VendorLibrary;

/**
 * What is measured.
 *
 * @param library that stands in for the backend's own
 */
record Target(Backend backend, Optional<Path> library) {
  /**
   * A way to run the loops.
   *
   * @param captured as one graph, or else kernel by kernel
   */
  record Mode(Precision precision, boolean captured, ConvolutionChoice convolutions) {}

  /** Opens it; each measurement does so anew and leaves nothing behind. */
  OpenDevice open(Mode mode) {
    OpenDevice.Options options =
        new OpenDevice.Options(
            OpenDevice.Options.threadsOfAllProcessors(),
            false,
            mode.precision(),
            mode.captured() ? Launching.CAPTURED : Launching.SINGLE,
            mode.convolutions());
    return OpenDevice.open(
        library
            .map(file -> KernelLibrary.load(backend, file))
            .orElseGet(() -> KernelLibrary.load(backend)),
        options);
  }

  /** The precisions that make a difference. */
  List<Precision> precisions() {
    return switch (backend) {
      case CPU -> List.of(Precision.FP32);
      case CUDA -> List.of(Precision.TF32, Precision.FP32);
    };
  }

  /** Opens it with kernels of its own, launched one by one. */
  OpenDevice openEager(Precision precision) {
    return open(new Mode(precision, false, ConvolutionChoice.OWN));
  }

  /** What a user gets who chooses nothing but the precision. */
  Mode usual(Precision precision) {
    ConvolutionChoice convolutions =
        library.isEmpty() ? ConvolutionChoice.AUTO : ConvolutionChoice.OWN;
    return new Mode(precision, true, convolutions);
  }

  /** The ways worth comparing: with NVIDIA's libraries beside own kernels where one is found. */
  List<Mode> modes() {
    List<Mode> modes = new ArrayList<>();
    for (Precision precision : precisions()) {
      if (backend.captures()) {
        modes.add(new Mode(precision, true, ConvolutionChoice.OWN));
        if (library.isEmpty()
            && Stream.of(VendorLibrary.values())
                .anyMatch(vendor -> vendor.probe() instanceof VendorAvailability.Available)) {
          modes.add(new Mode(precision, true, ConvolutionChoice.AUTO));
        }
      }
      modes.add(new Mode(precision, false, ConvolutionChoice.OWN));
    }
    return modes;
  }
}
