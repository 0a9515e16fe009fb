package org.hast4j.kernel;

import java.util.function.LongConsumer;

/** The convolution kernels of a library. */
public record OwnConvolution(
    Kernels kernels, ConvolutionShape shape, ConvolutionDirection direction)
    implements ConvolutionMethod {
  @Override
  public String name() {
    return "own";
  }

  @Override
  public long workspaceBytes() {
    return kernels.conv2dWorkspaceBytes(
        shape.n(),
        shape.h(),
        shape.w(),
        shape.c(),
        shape.k(),
        shape.r(),
        shape.s(),
        shape.stride(),
        shape.pad(),
        direction.code());
  }

  @Override
  public LongConsumer bind(Operands operands) {
    int accumulate = operands.accumulate() ? 1 : 0;
    return switch (direction) {
      case FORWARD ->
          stream ->
              kernels.conv2dFwd(
                  operands.result(),
                  operands.first(),
                  operands.second(),
                  operands.bias(),
                  operands.workspace(),
                  operands.workspaceBytes(),
                  shape.n(),
                  shape.h(),
                  shape.w(),
                  shape.c(),
                  shape.k(),
                  shape.r(),
                  shape.s(),
                  shape.stride(),
                  shape.pad(),
                  stream);
      case DATA_GRADIENT ->
          stream ->
              kernels.conv2dBwdData(
                  operands.result(),
                  operands.first(),
                  operands.second(),
                  operands.workspace(),
                  operands.workspaceBytes(),
                  shape.n(),
                  shape.h(),
                  shape.w(),
                  shape.c(),
                  shape.k(),
                  shape.r(),
                  shape.s(),
                  shape.stride(),
                  shape.pad(),
                  accumulate,
                  stream);
      case WEIGHT_GRADIENT ->
          stream ->
              kernels.conv2dBwdWeight(
                  operands.result(),
                  operands.first(),
                  operands.second(),
                  operands.workspace(),
                  operands.workspaceBytes(),
                  shape.n(),
                  shape.h(),
                  shape.w(),
                  shape.c(),
                  shape.k(),
                  shape.r(),
                  shape.s(),
                  shape.stride(),
                  shape.pad(),
                  stream);
    };
  }
}
