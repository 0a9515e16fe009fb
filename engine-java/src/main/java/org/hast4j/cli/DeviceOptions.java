package org.hast4j.cli;

import org.hast4j.device.Device;
import org.hast4j.kernel.Backend;
import org.hast4j.kernel.Precision;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What the work runs on. */
final class DeviceOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      defaultValue = "cpu",
      description = "cpu, or cuda where `hast devices` shows it.")
  private Backend backend;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Worker threads; all processors by default. No result depends on it.")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(
      names = "--precision",
      paramLabel = "PRECISION",
      defaultValue = "tf32",
      description =
          "Factors of convolutions on a GPU: tf32 (tensor cores, 10 bits of mantissa) or fp32. The"
              + " CPU always computes in fp32.")
  private Precision precision;

  Device open() {
    if (threads < 1) {
      throw new ParameterException(
          spec.commandLine(), "--threads must be at least 1, got " + threads);
    }
    // Nothing else runs in this process, so every thread may keep a processor to itself.
    return Device.open(backend, new Device.Options(threads, true, precision, true));
  }
}
