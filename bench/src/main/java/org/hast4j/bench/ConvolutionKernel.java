package org.hast4j.bench;

import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.OwnProduct;
import org.hast4j.kernel.Product;

/**
 * This project's convolution in one direction. Weights stay as they are trained: transforming them
 * is part of every run.
 */
public final class ConvolutionKernel {
  private final Launch launch;
  private final long stream;

  /**
   * @param operands get a workspace for it
   * @param x address of the input, or of its gradient
   * @param weight address of the weights, or of their gradient
   * @param y address of the output, or of its gradient
   */
  ConvolutionKernel(
      DeviceOperands operands,
      ResNet20Convolution shape,
      int batch,
      ConvolutionDirection direction,
      long x,
      long weight,
      long y) {
    OpenDevice device = operands.device();
    OwnProduct own =
        new OwnProduct(device.library(), Product.convolution(shape.sizes(batch), direction, false));
    long bytes = own.workspaceBytes();
    long workspace = bytes == 0 ? 0 : operands.allocated(bytes);
    launch =
        own.bind(
            switch (direction) {
              case FORWARD -> operands(y, x, weight, workspace, bytes);
              case DATA_GRADIENT -> operands(x, y, weight, workspace, bytes);
              case WEIGHT_GRADIENT -> operands(weight, y, x, workspace, bytes);
            });
    stream = device.stream();
  }

  private static Algorithm.Operands operands(
      long result, long first, long second, long workspace, long bytes) {
    return new Algorithm.Operands(result, first, second, 0, false, workspace, bytes);
  }

  /** A convolution of standard normal operands. */
  public static ConvolutionKernel random(
      DeviceOperands operands,
      ResNet20Convolution shape,
      int batch,
      ConvolutionDirection direction) {
    return new ConvolutionKernel(
        operands,
        shape,
        batch,
        direction,
        operands.normal(shape.inputElements(batch)),
        operands.normal(shape.weightElements()),
        operands.normal(shape.outputElements(batch)));
  }

  public void run() {
    launch.launch(stream);
  }
}
