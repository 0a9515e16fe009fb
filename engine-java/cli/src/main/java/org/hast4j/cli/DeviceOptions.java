package org.hast4j.cli;

import org.hast4j.device.driver.ConvolutionChoice;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.exec.Products;
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
      converter = DeviceName.Converter.class,
      description =
          "cpu; or cuda:N, one of those that `hast devices` shows; cuda is the first of them.")
  private DeviceName name;

  private int threads = OpenDevice.Options.threadsOfAllProcessors();

  @Option(
      names = "--precision",
      paramLabel = "PRECISION",
      defaultValue = "tf32",
      description =
          "Factors of convolutions, but for depthwise ones, on a GPU: tf32 (tensor cores, 10 bits"
              + " of mantissa) or fp32. The CPU always computes in fp32.")
  private Precision precision;

  @Option(
      names = "--conv",
      paramLabel = "WHOSE",
      defaultValue = "auto",
      description =
          "Convolutions and linear layers on a GPU: own kernels; cudnn: NVIDIA's cuDNN, and"
              + " cuBLASLt for 1x1 convolutions where it is faster and for the linear layers it"
              + " takes; or auto: whichever is fastest for each shape, measured once and"
              + " remembered. Depthwise convolutions always run on own kernels. `hast devices`"
              + " shows what is there.")
  private ConvolutionChoice convolutions;

  @Option(
      names = "--check-launches",
      description =
          "Launches kernels one by one and waits for each: slow, but the error names the operation"
              + " that failed on a GPU. No result depends on it.")
  private boolean checkLaunches;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Worker threads; all processors by default. No result depends on it.")
  private void threads(int number) {
    if (number < 1 || number > OpenDevice.Options.MAX_THREADS) {
      throw new ParameterException(
          spec.commandLine(),
          "--threads must be 1 to %d, got %d".formatted(OpenDevice.Options.MAX_THREADS, number));
    }
    threads = number;
  }

  OpenDevice open() {
    Launching launching = checkLaunches ? Launching.AWAITED : Launching.CAPTURED;
    // Nothing else runs in this process, so where it takes the whole machine every thread may keep
    // a processor to itself.
    OpenDevice device =
        OpenDevice.open(
            name.backend(),
            name.ordinal(),
            new OpenDevice.Options(threads, true, precision, launching, convolutions));
    try {
      // Says at once, before any file is read, where cuDNN was asked for in vain.
      Products.of(device);
      return device;
    } catch (RuntimeException e) {
      device.close();
      throw e;
    }
  }
}
