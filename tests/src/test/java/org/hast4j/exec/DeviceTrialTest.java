package org.hast4j.exec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.hast4j.device.driver.ConvolutionChoice;
import org.hast4j.device.driver.Launching;
import org.hast4j.device.driver.OpenDevice;
import org.hast4j.device.driver.Platform;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.ConvolutionShape;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.OwnProduct;
import org.hast4j.kernel.Precision;
import org.hast4j.kernel.Product;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Trials of real kernels, and devices that have no cuDNN; {@link StandinChoiceTest} tries the
 * methods of libraries that stand in for NVIDIA's. The library that counts needs a process of its
 * own.
 */
class DeviceTrialTest {
  private static final ConvolutionShape SHAPE = new ConvolutionShape(2, 6, 6, 4, 8, 3, 3, 2, 1);

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"STANDIN", "COUNTED"})
  void timesEveryDirection(Platform platform) {
    platform.assumeUsable();
    try (OpenDevice device = platform.open(2)) {
      for (ConvolutionDirection direction : ConvolutionDirection.values()) {
        for (Product product :
            List.of(
                Product.convolution(SHAPE, direction, false),
                Product.linear(3, 5, 7, direction, false))) {
          Algorithm own = new OwnProduct(device.library(), product);
          try (DeviceTrial trial = new DeviceTrial(device, product, List.of(own))) {
            assertThat(trial.milliseconds(own)).as("%s", product).isPositive().isFinite();
          }
        }
        assertThat(device.ledger().bytes()).isZero();
      }
    }
  }

  /** Fails where a capture would be under way. */
  private record Failing(Algorithm algorithm, int launches) implements Algorithm {
    @Override
    public String name() {
      return "failing";
    }

    @Override
    public long workspaceBytes() {
      return algorithm.workspaceBytes();
    }

    @Override
    public Launch bind(Operands operands) {
      Launch launch = algorithm.bind(operands);
      int[] left = {launches};
      return stream -> {
        if (left[0]-- == 0) {
          throw new IllegalStateException("out of launches");
        }
        launch.launch(stream);
      };
    }
  }

  @ParameterizedTest
  @EnumSource(
      mode = EnumSource.Mode.EXCLUDE,
      names = {"STANDIN", "COUNTED"})
  void aMethodThatFailsLeavesTheDeviceUsable(Platform platform) {
    platform.assumeUsable();
    try (OpenDevice device = platform.open(2)) {
      Product product = Product.convolution(SHAPE, ConvolutionDirection.FORWARD, true);
      Algorithm own = new OwnProduct(device.library(), product);
      try (DeviceTrial trial = new DeviceTrial(device, product, List.of(own))) {
        for (int launches = 0; launches < 3; launches++) {
          Algorithm failing = new Failing(own, launches);
          assertThatThrownBy(() -> trial.milliseconds(failing)).hasMessage("out of launches");
        }
        assertThat(trial.milliseconds(own)).isPositive().isFinite();
      }
    }
  }

  @Test
  void cudnnWithoutAGpuIsAnError() {
    try (OpenDevice device = Platform.CPU.open(options(ConvolutionChoice.CUDNN))) {
      assertThatThrownBy(() -> Products.of(device))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("cuDNN needs an NVIDIA GPU");
    }
  }

  @Test
  void theCpuChoosesItsOwnKernels() {
    try (OpenDevice device = Platform.CPU.open(options(ConvolutionChoice.AUTO))) {
      assertThat(Products.of(device)).isSameAs(Products.of(device));
    }
  }

  private static OpenDevice.Options options(ConvolutionChoice choice) {
    return new OpenDevice.Options(1, false, Precision.FP32, Launching.CAPTURED, choice);
  }
}
