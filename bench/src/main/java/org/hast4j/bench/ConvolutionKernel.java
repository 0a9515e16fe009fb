package org.hast4j.bench;

import org.hast4j.device.Device;
import org.hast4j.kernel.Kernels;

/**
 * This project's convolution in one direction. Weights stay as they are trained: transforming them
 * is part of every run.
 */
public final class ConvolutionKernel {
  private final ConvolutionShape shape;
  private final int batch;
  private final ConvolutionDirection direction;
  private final Device device;
  private final long x;
  private final long weight;
  private final long y;
  private final long workspace;
  private final long workspaceBytes;

  /**
   * @param operands get a workspace for it
   * @param x address of the input, or of its gradient
   * @param weight address of the weights, or of their gradient
   * @param y address of the output, or of its gradient
   */
  ConvolutionKernel(
      DeviceOperands operands,
      ConvolutionShape shape,
      int batch,
      ConvolutionDirection direction,
      long x,
      long weight,
      long y) {
    this.shape = shape;
    this.batch = batch;
    this.direction = direction;
    device = operands.device();
    this.x = x;
    this.weight = weight;
    this.y = y;
    workspaceBytes =
        Math.max(
            1,
            device
                .kernels()
                .conv2dWorkspaceBytes(
                    batch,
                    shape.size,
                    shape.size,
                    shape.inputs,
                    shape.outputs,
                    shape.kernel,
                    shape.kernel,
                    shape.stride,
                    shape.pad,
                    direction.ordinal()));
    workspace = operands.allocated(workspaceBytes);
  }

  /** A convolution of standard normal operands. */
  public static ConvolutionKernel random(
      DeviceOperands operands, ConvolutionShape shape, int batch, ConvolutionDirection direction) {
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
    Kernels kernels = device.kernels();
    long hw = shape.size;
    long c = shape.inputs;
    long k = shape.outputs;
    long r = shape.kernel;
    int stride = shape.stride;
    int pad = shape.pad;
    long stream = device.stream();
    switch (direction) {
      case FORWARD ->
          kernels.conv2dFwd(
              y,
              x,
              weight,
              0,
              workspace,
              workspaceBytes,
              batch,
              hw,
              hw,
              c,
              k,
              r,
              r,
              stride,
              pad,
              stream);
      case DATA ->
          kernels.conv2dBwdData(
              x,
              y,
              weight,
              workspace,
              workspaceBytes,
              batch,
              hw,
              hw,
              c,
              k,
              r,
              r,
              stride,
              pad,
              0,
              stream);
      case WEIGHT ->
          kernels.conv2dBwdWeight(
              weight,
              y,
              x,
              workspace,
              workspaceBytes,
              batch,
              hw,
              hw,
              c,
              k,
              r,
              r,
              stride,
              pad,
              stream);
    }
  }
}
