package org.hast4j.exec;

import org.hast4j.graph.Convolution;
import org.hast4j.graph.Node;
import org.hast4j.kernel.Algorithm;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.KernelLibrary;
import org.hast4j.kernel.Launch;
import org.hast4j.kernel.abi.DepthwiseBwdData;
import org.hast4j.kernel.abi.DepthwiseBwdWeight;
import org.hast4j.kernel.abi.DepthwiseFwd;
import org.hast4j.kernel.abi.DepthwiseWorkspaceBytes;
import org.hast4j.tensor.Shape;

/** Kernels of convolutions and linear layers. */
record ConvolutionLowering(KernelLibrary library, Products products) {
  long workspaceBytes(Convolution operation, Node node) {
    return switch (operation) {
      case Convolution.DepthwiseConv2d op ->
          depthwise(
              BoundStep.shape(node, 0), BoundStep.shape(node, 1), op, ConvolutionDirection.FORWARD);
      case Convolution.DepthwiseConv2dDataGrad op ->
          depthwise(
              op.x().shape(),
              BoundStep.shape(node, 1),
              op.forward(),
              ConvolutionDirection.DATA_GRADIENT);
      case Convolution.DepthwiseConv2dWeightGrad op ->
          depthwise(
              BoundStep.shape(node, 1),
              op.weight().shape(),
              op.forward(),
              ConvolutionDirection.WEIGHT_GRADIENT);
      case Convolution.Conv2d op -> products.algorithm(op, node).workspaceBytes();
      case Convolution.Conv2dDataGrad op -> products.algorithm(op, node).workspaceBytes();
      case Convolution.Conv2dWeightGrad op -> products.algorithm(op, node).workspaceBytes();
      case Convolution.Linear op -> products.algorithm(op, node).workspaceBytes();
      case Convolution.LinearDataGrad op -> products.algorithm(op, node).workspaceBytes();
      case Convolution.LinearWeightGrad op -> products.algorithm(op, node).workspaceBytes();
    };
  }

  private long depthwise(
      Shape x, Shape weight, Convolution.DepthwiseConv2d op, ConvolutionDirection direction) {
    return new DepthwiseWorkspaceBytes(library)
        .n(x.size(0))
        .h(x.size(1))
        .w(x.size(2))
        .c(x.size(3))
        .r(weight.size(1))
        .s(weight.size(2))
        .window(op.window().toArray())
        .direction(direction.code())
        .call();
  }

  Launch launch(Convolution operation, BoundStep step) {
    Node node = step.node();
    return switch (operation) {
      case Convolution.Conv2d op -> product(products.algorithm(op, node), step, bias(step), false);
      case Convolution.Conv2dDataGrad op ->
          product(products.algorithm(op, node), step, 0, op.accumulates());
      case Convolution.Conv2dWeightGrad op -> product(products.algorithm(op, node), step, 0, false);
      case Convolution.Linear op -> product(products.algorithm(op, node), step, bias(step), false);
      case Convolution.LinearDataGrad op -> product(products.algorithm(op, node), step, 0, false);
      case Convolution.LinearWeightGrad op ->
          product(products.algorithm(op, node), step, step.out(1), false);
      case Convolution.DepthwiseConv2d op -> {
        Shape x = step.shape(0);
        Shape weight = step.shape(1);
        yield new DepthwiseFwd(library)
            .y(step.out(0))
            .x(step.in(0))
            .weight(step.in(1))
            .bias(bias(step))
            .workspace(step.workspace())
            .workspaceBytes(step.workspaceBytes())
            .n(x.size(0))
            .h(x.size(1))
            .w(x.size(2))
            .c(x.size(3))
            .r(weight.size(1))
            .s(weight.size(2))
            .window(op.window().toArray());
      }
      case Convolution.DepthwiseConv2dDataGrad op -> {
        Shape x = op.x().shape();
        Shape weight = step.shape(1);
        yield new DepthwiseBwdData(library)
            .dx(step.out(0))
            .dy(step.in(0))
            .weight(step.in(1))
            .workspace(step.workspace())
            .workspaceBytes(step.workspaceBytes())
            .n(x.size(0))
            .h(x.size(1))
            .w(x.size(2))
            .c(x.size(3))
            .r(weight.size(1))
            .s(weight.size(2))
            .window(op.forward().window().toArray())
            .accumulate(op.accumulates() ? 1 : 0);
      }
      case Convolution.DepthwiseConv2dWeightGrad op -> {
        Shape x = step.shape(1);
        Shape weight = op.weight().shape();
        yield new DepthwiseBwdWeight(library)
            .dweight(step.out(0))
            .dy(step.in(0))
            .x(step.in(1))
            .workspace(step.workspace())
            .workspaceBytes(step.workspaceBytes())
            .n(x.size(0))
            .h(x.size(1))
            .w(x.size(2))
            .c(x.size(3))
            .r(weight.size(1))
            .s(weight.size(2))
            .window(op.forward().window().toArray());
      }
    };
  }

  /** Of a layer's output, 0 for none. */
  private static long bias(BoundStep step) {
    return step.inIf(step.node().inputs().size() == 3, 2);
  }

  private static Launch product(
      Algorithm algorithm, BoundStep step, long bias, boolean accumulate) {
    return algorithm.bind(
        new Algorithm.Operands(
            step.out(0),
            step.in(0),
            step.in(1),
            bias,
            accumulate,
            step.workspace(),
            step.workspaceBytes()));
  }
}
