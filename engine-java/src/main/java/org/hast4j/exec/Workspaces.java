package org.hast4j.exec;

import org.hast4j.graph.Node;
import org.hast4j.graph.Op;
import org.hast4j.kernel.ConvolutionDirection;
import org.hast4j.kernel.Kernels;
import org.hast4j.tensor.Shape;

/** Scratch bytes of each operation's kernel. */
final class Workspaces {
  private Workspaces() {}

  static long bytes(Node node, Kernels kernels, Products products) {
    return switch (node.op()) {
      case Op.Conv2d op -> products.method(op, node).workspaceBytes();
      case Op.Conv2dDataGrad op -> products.method(op, node).workspaceBytes();
      case Op.Conv2dWeightGrad op -> products.method(op, node).workspaceBytes();
      case Op.DepthwiseConv2d op ->
          depthwise(
              kernels,
              shape(node, 0),
              shape(node, 1),
              op.stride(),
              op.pad(),
              ConvolutionDirection.FORWARD);
      case Op.DepthwiseConv2dDataGrad op ->
          depthwise(
              kernels,
              op.x().shape(),
              shape(node, 1),
              op.stride(),
              op.pad(),
              ConvolutionDirection.DATA_GRADIENT);
      case Op.DepthwiseConv2dWeightGrad op ->
          depthwise(
              kernels,
              shape(node, 1),
              op.weight().shape(),
              op.stride(),
              op.pad(),
              ConvolutionDirection.WEIGHT_GRADIENT);
      case Op.Linear op -> products.method(op, node).workspaceBytes();
      case Op.LinearDataGrad op -> products.method(op, node).workspaceBytes();
      case Op.LinearWeightGrad op -> products.method(op, node).workspaceBytes();
      case Op.BnStats _ ->
          kernels.bnStatsWorkspaceBytes(rows(shape(node, 0)), channels(shape(node, 0)));
      case Op.ChannelSum _ ->
          kernels.channelSumWorkspaceBytes(rows(shape(node, 0)), channels(shape(node, 0)));
      case Op.BnAct _ -> {
        Shape u = shape(node, 0);
        yield kernels.bnActFwdWorkspaceBytes(u.size(0), u.size(1) * u.size(2), u.size(3));
      }
      case Op.BnActGrad _ -> {
        Shape u = shape(node, 1);
        yield kernels.bnActBwdWorkspaceBytes(u.size(0), u.size(1) * u.size(2), u.size(3));
      }
      case Op.MinMax _ -> kernels.minMaxWorkspaceBytes(shape(node, 0).elements());
      case Op.Variable _,
          Op.BnRunningStep _,
          Op.BnStatsLoss _,
          Op.FakeQuant _,
          Op.FakeQuantChannel _,
          Op.RangeTrackStep _,
          Op.GlobalAvgPool _,
          Op.GlobalAvgPoolGrad _,
          Op.MaxPool _,
          Op.MaxPoolGrad _,
          Op.Upsample _,
          Op.UpsampleGrad _,
          Op.Embedding _,
          Op.EmbeddingGrad _,
          Op.Shortcut _,
          Op.ShortcutGrad _,
          Op.Reshape _,
          Op.Tanh _,
          Op.TanhGrad _,
          Op.Add _,
          Op.Scale _,
          Op.SignPerturb _,
          Op.HardCrossEntropy _,
          Op.DistillKl _,
          Op.FeatureAlign _,
          Op.PhiloxNormal _,
          Op.PhiloxLabels _,
          Op.Boxes _,
          Op.GatherLabels _,
          Op.CropFlip _,
          Op.CropFlipGrad _,
          Op.AdamStep _,
          Op.SgdStep _,
          Op.SampleStep _,
          Op.KeepBestStep _,
          Op.CounterStep _ ->
          0;
    };
  }

  private static long depthwise(
      Kernels kernels, Shape x, Shape w, int stride, int pad, ConvolutionDirection direction) {
    return kernels.depthwiseWorkspaceBytes(
        x.size(0),
        x.size(1),
        x.size(2),
        x.size(3),
        w.size(1),
        w.size(2),
        stride,
        pad,
        direction.code());
  }

  private static Shape shape(Node node, int input) {
    return node.inputs().get(input).type().shape();
  }

  private static long channels(Shape shape) {
    return shape.size(-1);
  }

  private static long rows(Shape shape) {
    return shape.elements() / channels(shape);
  }
}
