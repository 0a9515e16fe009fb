package org.hast4j.bench.gpu;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.hast4j.device.Device;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Precision;

/**
 * What is measured.
 *
 * @param library that stands in for the backend's own
 */
record Target(Backend backend, Optional<Path> library) {
  /** Opens it; each measurement does so anew and leaves nothing behind. */
  Device open(Precision precision, boolean captured) {
    Device.Options options =
        new Device.Options(Runtime.getRuntime().availableProcessors(), false, precision, captured);
    return Device.open(
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

  /** Whether to capture. */
  List<Boolean> modes() {
    return backend.captures() ? List.of(true, false) : List.of(false);
  }
}
