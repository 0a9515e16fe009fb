package org.hast4j.kernel;

import org.hast4j.kernel.abi.Conv2dBwdData;
import org.hast4j.kernel.abi.Conv2dBwdWeight;
import org.hast4j.kernel.abi.Conv2dFwd;
import org.hast4j.kernel.abi.Conv2dWorkspaceBytes;
import org.hast4j.kernel.abi.LinearBwdData;
import org.hast4j.kernel.abi.LinearBwdWeight;
import org.hast4j.kernel.abi.LinearFwd;

/** The kernels of a library. */
public record OwnProduct(KernelLibrary library, Product product) implements Algorithm {
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
    return new Conv2dWorkspaceBytes(library)
        .n(shape.n())
        .h(shape.h())
        .w(shape.w())
        .c(shape.c())
        .k(shape.k())
        .r(shape.r())
        .s(shape.s())
        .groups(shape.groups())
        .window(shape.window().toArray())
        .direction(product.direction().code())
        .call();
  }

  @Override
  public Launch bind(Operands operands) {
    return product.linear()
        ? linear(operands, product.shape())
        : convolution(operands, product.shape());
  }

  private Launch linear(Operands operands, ConvolutionShape shape) {
    return switch (product.direction()) {
      case FORWARD ->
          new LinearFwd(library)
              .y(operands.result())
              .x(operands.first())
              .weight(operands.second())
              .bias(operands.bias())
              .n(shape.n())
              .inputs(shape.c())
              .outputs(shape.k());
      case DATA_GRADIENT ->
          new LinearBwdData(library)
              .dx(operands.result())
              .dy(operands.first())
              .weight(operands.second())
              .n(shape.n())
              .inputs(shape.c())
              .outputs(shape.k());
      case WEIGHT_GRADIENT ->
          new LinearBwdWeight(library)
              .dweight(operands.result())
              .dbias(operands.bias())
              .dy(operands.first())
              .x(operands.second())
              .n(shape.n())
              .inputs(shape.c())
              .outputs(shape.k());
    };
  }

  private Launch convolution(Operands operands, ConvolutionShape shape) {
    return switch (product.direction()) {
      case FORWARD ->
          new Conv2dFwd(library)
              .y(operands.result())
              .x(operands.first())
              .weight(operands.second())
              .bias(operands.bias())
              .workspace(operands.workspace())
              .workspaceBytes(operands.workspaceBytes())
              .n(shape.n())
              .h(shape.h())
              .w(shape.w())
              .c(shape.c())
              .k(shape.k())
              .r(shape.r())
              .s(shape.s())
              .groups(shape.groups())
              .window(shape.window().toArray());
      case DATA_GRADIENT ->
          new Conv2dBwdData(library)
              .dx(operands.result())
              .dy(operands.first())
              .weight(operands.second())
              .workspace(operands.workspace())
              .workspaceBytes(operands.workspaceBytes())
              .n(shape.n())
              .h(shape.h())
              .w(shape.w())
              .c(shape.c())
              .k(shape.k())
              .r(shape.r())
              .s(shape.s())
              .groups(shape.groups())
              .window(shape.window().toArray())
              .accumulate(operands.accumulate() ? 1 : 0);
      case WEIGHT_GRADIENT ->
          new Conv2dBwdWeight(library)
              .dweight(operands.result())
              .dy(operands.first())
              .x(operands.second())
              .workspace(operands.workspace())
              .workspaceBytes(operands.workspaceBytes())
              .n(shape.n())
              .h(shape.h())
              .w(shape.w())
              .c(shape.c())
              .k(shape.k())
              .r(shape.r())
              .s(shape.s())
              .groups(shape.groups())
              .window(shape.window().toArray());
    };
  }
}
