package org.hast4j.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.hast4j.kernel.Availability;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.vendor.CudnnAvailability;
import org.hast4j.vendor.CudnnLibrary;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code hast devices}. */
@Command(
    name = "devices",
    sortOptions = false,
    parameterListHeading = "%n",
    optionListHeading = "%n",
    description = "Shows what the work can run on here, and why not on the rest.")
final class DevicesCommand implements Runnable {
  @Mixin private Reporter reporter;

  @Override
  public void run() {
    List<Map<String, Object>> json = new ArrayList<>();
    for (Backend backend : Backend.values()) {
      String name = backend.name().toLowerCase(Locale.ROOT);
      Map<String, Object> entry = new LinkedHashMap<>();
      entry.put("device", name);
      switch (KernelLibrary.probe(backend)) {
        case Availability.Available available -> {
          entry.put("available", true);
          entry.put("devices", available.devices());
          available.devices().forEach(device -> reporter.line("%-5s %s".formatted(name, device)));
          if (backend == Backend.CUDA) {
            showCudnn(entry);
          }
        }
        case Availability.Unavailable unavailable -> {
          entry.put("available", false);
          entry.put("reasons", unavailable.reasons());
          unavailable
              .reasons()
              .forEach(reason -> reporter.line("%-5s not available: %s".formatted(name, reason)));
        }
      }
      json.add(entry);
    }
    reporter.result(json);
  }

  private void showCudnn(Map<String, Object> entry) {
    switch (CudnnLibrary.probe()) {
      case CudnnAvailability.Available available -> {
        entry.put("cudnn", available.version());
        reporter.line(
            "      convolutions: own kernels or cuDNN %s, whichever is faster"
                .formatted(available.version()));
      }
      case CudnnAvailability.Unavailable unavailable -> {
        entry.put("cudnnReason", unavailable.reason());
        reporter.line("      convolutions: own kernels; no cuDNN: " + unavailable.reason());
      }
    }
  }
}
