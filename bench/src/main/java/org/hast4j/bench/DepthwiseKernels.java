package org.hast4j.bench;

import org.hast4j.device.Device;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.Kernels;

/** The depthwise convolution of a layer in its three directions, which share their operands. */
public final class DepthwiseKernels {
  private static final long FILTER = 3;
  private static final int PAD = 1;

  private final Device device;
  private final DepthwiseLayer layer;
  private final long n;
  private final long x;
  private final long y;
  private final long weight;
  private final long dx;
  private final long dweight;
  private final long workspace;
  private final long workspaceBytes;

  /** Allocates and fills the operands for a batch of n images. */
  public DepthwiseKernels(DeviceOperands operands, DepthwiseLayer layer, long n) {
    device = operands.device();
    this.layer = layer;
    this.n = n;
    x = operands.normal(inputElements());
    y = operands.normal(outputElements());
    weight = operands.normal(layer.channels * FILTER * FILTER);
    dx = operands.constant(inputElements(), 0);
    dweight = operands.constant(layer.channels * FILTER * FILTER, 0);
    long most = 1;
    for (ConvolutionDirection direction : ConvolutionDirection.values()) {
      most = Math.max(most, workspaceBytes(direction));
    }
    workspaceBytes = most;
    workspace = operands.cleared(workspaceBytes);
  }

  private long inputElements() {
    return n * layer.side * layer.side * layer.channels;
  }

  private long outputElements() {
    return n * layer.outputSide() * layer.outputSide() * layer.channels;
  }

  private long workspaceBytes(ConvolutionDirection direction) {
    return device
        .kernels()
        .depthwiseWorkspaceBytes(
            n,
            layer.side,
            layer.side,
            layer.channels,
            FILTER,
            FILTER,
            layer.stride,
            PAD,
            direction.code());
  }

  /** A direction, ready to run: it must move input and output once, the filters aside. */
  public MemoryKernel kernel(ConvolutionDirection direction) {
    return new MemoryKernel(
        Float.BYTES * (inputElements() + outputElements()), () -> launch(direction));
  }

  private void launch(ConvolutionDirection direction) {
    Kernels kernels = device.kernels();
    long side = layer.side;
    long c = layer.channels;
    int stride = layer.stride;
    long stream = device.stream();
    switch (direction) {
      case FORWARD ->
          kernels.depthwiseFwd(
              y,
              x,
              weight,
              workspace,
              workspaceBytes,
              n,
              side,
              side,
              c,
              FILTER,
              FILTER,
              stride,
              PAD,
              stream);
      case DATA_GRADIENT ->
          kernels.depthwiseBwdData(
              dx,
              y,
              weight,
              workspace,
              workspaceBytes,
              n,
              side,
              side,
              c,
              FILTER,
              FILTER,
              stride,
              PAD,
              0,
              stream);
      case WEIGHT_GRADIENT ->
          kernels.depthwiseBwdWeight(
              dweight,
              y,
              x,
              workspace,
              workspaceBytes,
              n,
              side,
              side,
              c,
              FILTER,
              FILTER,
              stride,
              PAD,
              stream);
    }
  }
}
