package org.hast4j.bench;

import org.hast4j.device.driver.OpenDevice;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.DepthwiseBwdData;
import org.hast4j.kernel.abi.DepthwiseBwdWeight;
import org.hast4j.kernel.abi.DepthwiseFwd;
import org.hast4j.kernel.abi.DepthwiseWorkspaceBytes;
import org.hast4j.tensor.Window;

/** The depthwise convolution of a layer in its three directions, which share their operands. */
public final class DepthwiseKernels {
  private static final long FILTER = 3;
  private static final int PAD = 1;

  private final OpenDevice device;
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

  private int[] window() {
    return new Window(layer.stride, PAD).toArray();
  }

  private long workspaceBytes(ConvolutionDirection direction) {
    return new DepthwiseWorkspaceBytes(device.library())
        .n(n)
        .h(layer.side)
        .w(layer.side)
        .c(layer.channels)
        .r(FILTER)
        .s(FILTER)
        .window(window())
        .direction(direction.code())
        .call();
  }

  /** A direction, ready to run: it must move input and output once, the filters aside. */
  public MemoryKernel kernel(ConvolutionDirection direction) {
    return MemoryKernel.of(
        Float.BYTES * (inputElements() + outputElements()), launch(direction), device);
  }

  private Launch launch(ConvolutionDirection direction) {
    long side = layer.side;
    long c = layer.channels;
    return switch (direction) {
      case FORWARD ->
          new DepthwiseFwd(device.library())
              .y(y)
              .x(x)
              .weight(weight)
              .workspace(workspace)
              .workspaceBytes(workspaceBytes)
              .n(n)
              .h(side)
              .w(side)
              .c(c)
              .r(FILTER)
              .s(FILTER)
              .window(window());
      case DATA_GRADIENT ->
          new DepthwiseBwdData(device.library())
              .dx(dx)
              .dy(y)
              .weight(weight)
              .workspace(workspace)
              .workspaceBytes(workspaceBytes)
              .n(n)
              .h(side)
              .w(side)
              .c(c)
              .r(FILTER)
              .s(FILTER)
              .window(window())
              .accumulate(0);
      case WEIGHT_GRADIENT ->
          new DepthwiseBwdWeight(device.library())
              .dweight(dweight)
              .dy(y)
              .x(x)
              .workspace(workspace)
              .workspaceBytes(workspaceBytes)
              .n(n)
              .h(side)
              .w(side)
              .c(c)
              .r(FILTER)
              .s(FILTER)
              .window(window());
    };
  }
}
