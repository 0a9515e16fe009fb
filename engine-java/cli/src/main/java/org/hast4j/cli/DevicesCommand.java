package org.hast4j.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.hast4j.kernel.Availability;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.vendor.VendorAvailability;
import org.hast4j.vendor.VendorLibrary;
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
          for (int i = 0; i < available.devices().size(); i++) {
            line(new DeviceName(backend, i).toString(), available.devices().get(i));
          }
          if (backend == Backend.CUDA) {
            show(VendorLibrary.CUDNN, "cudnn", "convolutions", entry);
            show(VendorLibrary.CUBLAS_LT, "cublasLt", "matrix products", entry);
          }
        }
        case Availability.Unavailable unavailable -> {
          entry.put("available", false);
          entry.put("reasons", unavailable.reasons());
          unavailable.reasons().forEach(reason -> line(name, "not available: " + reason));
        }
      }
      json.add(entry);
    }
    reporter.result(json);
  }

  private void line(String device, String text) {
    reporter.line("%-7s %s".formatted(device, text));
  }

  private void show(VendorLibrary library, String key, String what, Map<String, Object> entry) {
    switch (library.probe()) {
      case VendorAvailability.Available available -> {
        entry.put(key, available.version());
        line(
            "",
            "%s: own kernels or %s %s, whichever is faster"
                .formatted(what, library, available.version()));
      }
      case VendorAvailability.Unavailable unavailable -> {
        entry.put(key + "Reason", unavailable.reason());
        line("", "%s: own kernels; no %s: %s".formatted(what, library, unavailable.reason()));
      }
    }
  }
}
