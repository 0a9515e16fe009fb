package org.hast4j.graph;

import static org.hast4j.graph.TensorType.f32;

import java.util.List;
import org.hast4j.tensor.Shape;
import org.hast4j.tensor.Window;

/** Convolutions and linear layers, and their gradients: conv.h and layer.h of the C ABI. */
public sealed interface Convolution extends Op {
  /** (x, weight [k, r, s, c / groups][, bias]) to y. */
  record Conv2d(Window window, int groups) implements Convolution {
    /** One group, a square stride and as much padding on every side. */
    public Conv2d(int stride, int pad) {
      this(new Window(stride, pad), 1);
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("conv2d", inputs, 2, 3);
      Shape x = Shapes.rank("conv2d x", inputs.get(0), 4);
      Shape w = Shapes.rank("conv2d weight", inputs.get(1), 4);
      Shapes.groups("conv2d channels of x", groups, x.size(3));
      Shapes.groups("conv2d channels of y", groups, w.size(0));
      Shapes.equal("conv2d channels of a group of x and of weight", x.size(3) / groups, w.size(3));
      if (inputs.size() == 3) {
        Shapes.same("conv2d bias", inputs.get(2), f32(w.size(0)));
      }
      Shapes.elements("conv2d x and weight", inputs.get(0), inputs.get(1));
      return List.of(Shapes.convolved(inputs.get(0), w, window));
    }
  }

  /** (dy, weight[, base]) to dx. */
  record Conv2dDataGrad(Conv2d forward, TensorType x, boolean accumulates) implements Convolution {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("conv2d data gradient", inputs, accumulates ? 3 : 2);
      if (accumulates) {
        Shapes.same("conv2d data gradient base", inputs.get(2), x);
      }
      TensorType y = forward.outputs(List.of(x, inputs.get(1))).getFirst();
      Shapes.same("conv2d data gradient dy", inputs.get(0), y);
      return List.of(x);
    }
  }

  /** (dy, x) to dweight. */
  record Conv2dWeightGrad(Conv2d forward, TensorType weight) implements Convolution {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("conv2d weight gradient", inputs, 2);
      TensorType y = forward.outputs(List.of(inputs.get(1), weight)).getFirst();
      Shapes.same("conv2d weight gradient dy", inputs.get(0), y);
      return List.of(weight);
    }
  }

  /**
   * (x [n, h, w, c], weight [c, r, s, 1][, bias]) to y: each channel convolved with its own filter.
   */
  record DepthwiseConv2d(Window window) implements Convolution {
    /** A square stride and as much padding on every side. */
    public DepthwiseConv2d(int stride, int pad) {
      this(new Window(stride, pad));
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("depthwise conv2d", inputs, 2, 3);
      Shape x = Shapes.rank("depthwise conv2d x", inputs.get(0), 4);
      Shape w = Shapes.rank("depthwise conv2d weight", inputs.get(1), 4);
      Shapes.equal("depthwise conv2d channels of x and filters", x.size(3), w.size(0));
      Shapes.equal("depthwise conv2d channels of a filter and 1", w.size(3), 1);
      if (inputs.size() == 3) {
        Shapes.same("depthwise conv2d bias", inputs.get(2), f32(w.size(0)));
      }
      Shapes.elements("depthwise conv2d x and filters", inputs.get(0), inputs.get(1));
      return List.of(Shapes.convolved(inputs.get(0), w, window));
    }
  }

  /** (dy, weight[, base]) to dx. */
  record DepthwiseConv2dDataGrad(DepthwiseConv2d forward, TensorType x, boolean accumulates)
      implements Convolution {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("depthwise conv2d data gradient", inputs, accumulates ? 3 : 2);
      if (accumulates) {
        Shapes.same("depthwise conv2d data gradient base", inputs.get(2), x);
      }
      TensorType y = forward.outputs(List.of(x, inputs.get(1))).getFirst();
      Shapes.same("depthwise conv2d data gradient dy", inputs.get(0), y);
      return List.of(x);
    }
  }

  /** (dy, x) to dweight. */
  record DepthwiseConv2dWeightGrad(DepthwiseConv2d forward, TensorType weight)
      implements Convolution {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("depthwise conv2d weight gradient", inputs, 2);
      TensorType y = forward.outputs(List.of(inputs.get(1), weight)).getFirst();
      Shapes.same("depthwise conv2d weight gradient dy", inputs.get(0), y);
      return List.of(weight);
    }
  }

  /** (x [n, inputs], weight [outputs, inputs][, bias]) to y. */
  record Linear() implements Convolution {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("linear", inputs, 2, 3);
      Shape x = Shapes.rank("linear x", inputs.get(0), 2);
      Shape w = Shapes.rank("linear weight", inputs.get(1), 2);
      Shapes.equal("linear inputs of x and weight", x.size(1), w.size(1));
      if (inputs.size() == 3) {
        Shapes.same("linear bias", inputs.get(2), f32(w.size(0)));
      }
      Shapes.elements("linear x and weight", inputs.get(0), inputs.get(1));
      return List.of(inputs.get(0).of(x.size(0), w.size(0)));
    }
  }

  /** (dy, weight) to dx. */
  record LinearDataGrad() implements Convolution {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("linear data gradient", inputs, 2);
      Shape dy = Shapes.rank("linear data gradient dy", inputs.get(0), 2);
      Shape w = Shapes.rank("linear data gradient weight", inputs.get(1), 2);
      Shapes.equal("linear outputs of dy and weight", dy.size(1), w.size(0));
      Shapes.elements("linear data gradient dy and weight", inputs.get(0), inputs.get(1));
      return List.of(inputs.get(0).of(dy.size(0), w.size(1)));
    }
  }

  /** (dy, x) to (dweight, dbias). */
  record LinearWeightGrad() implements Convolution {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("linear weight gradient", inputs, 2);
      Shape dy = Shapes.rank("linear weight gradient dy", inputs.get(0), 2);
      Shape x = Shapes.rank("linear weight gradient x", inputs.get(1), 2);
      Shapes.equal("linear rows of dy and x", dy.size(0), x.size(0));
      Shapes.elements("linear weight gradient dy and x", inputs.get(0), inputs.get(1));
      return List.of(inputs.get(0).of(dy.size(1), x.size(1)), f32(dy.size(1)));
    }

    @Override
    public boolean optional(int output) {
      return output == 1;
    }
  }
}
