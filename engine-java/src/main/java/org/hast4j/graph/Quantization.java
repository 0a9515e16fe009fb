package org.hast4j.graph;

import static org.hast4j.graph.TensorType.f32;

import java.util.List;

/** Quantizers and their ranges: quantize.h of the C ABI. Gradients pass them straight through. */
public sealed interface Quantization extends Op {
  /** (x, range [2]) to the fake-quantised x; the gradient passes straight through. */
  record FakeQuant(int bits) implements Quantization {
    public FakeQuant {
      Shapes.bits(bits);
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("fake quantisation", inputs, 2);
      Shapes.floats("fake quantisation x", inputs.get(0));
      Shapes.same("activation range", inputs.get(1), f32(2));
      return List.of(inputs.get(0));
    }

    @Override
    public boolean reuses(int output, int input) {
      return input == 0;
    }
  }

  /**
   * Weights [out, ..], each output channel on its own range; the gradient passes straight through.
   */
  record FakeQuantChannel(int bits) implements Quantization {
    public FakeQuantChannel {
      Shapes.bits(bits);
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("weight quantisation", inputs, 1);
      Shapes.floats("weight quantisation x", inputs.get(0));
      return List.of(inputs.get(0));
    }
  }

  /** x to its range [2]. */
  record MinMax() implements Quantization {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("min max", inputs, 1);
      Shapes.floats("min max x", inputs.get(0));
      return List.of(f32(2));
    }
  }

  /** Moves (range [2], state [3]) by a batch range [2]. */
  record RangeTrackStep(float momentum, RangeRule rule) implements Quantization {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("range tracking", inputs, 3);
      Shapes.same("tracked range", inputs.get(0), f32(2));
      Shapes.same("range state", inputs.get(1), f32(3));
      Shapes.same("batch range", inputs.get(2), f32(2));
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }
}
