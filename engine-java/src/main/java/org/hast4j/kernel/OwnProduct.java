package org.hast4j.kernel;

import java.util.function.LongConsumer;

/** The kernels of a library. */
public record OwnProduct(Kernels kernels, Product product) implements ProductMethod {
  @Override
  public String name() {
    return "own";
  }

  @Override
  public long workspaceBytes() {
    if (product.linear()) {
      return 0;
    }
    ConvolutionShape shape = product.shape();
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
        product.direction().code());
  }

  @Override
  public LongConsumer bind(Operands operands) {
    return product.linear()
        ? linear(operands, product.shape())
        : convolution(operands, product.shape());
  }

  private LongConsumer linear(Operands operands, ConvolutionShape shape) {
    return switch (product.direction()) {
      case FORWARD ->
          stream ->
              kernels.linearFwd(
                  operands.result(),
                  operands.first(),
                  operands.second(),
                  operands.bias(),
                  shape.n(),
                  shape.c(),
                  shape.k(),
                  stream);
      case DATA_GRADIENT ->
          stream ->
              kernels.linearBwdData(
                  operands.result(),
                  operands.first(),
                  operands.second(),
                  shape.n(),
                  shape.c(),
                  shape.k(),
                  stream);
      case WEIGHT_GRADIENT ->
          stream ->
              kernels.linearBwdWeight(
                  operands.result(),
                  operands.bias(),
                  operands.first(),
                  operands.second(),
                  shape.n(),
                  shape.c(),
                  shape.k(),
                  stream);
    };
  }

  private LongConsumer convolution(Operands operands, ConvolutionShape shape) {
    int accumulate = operands.accumulate() ? 1 : 0;
    return switch (product.direction()) {
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
