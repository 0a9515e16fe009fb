package org.hast4j.graph;

import static org.hast4j.graph.TensorType.f32;

import java.util.List;
import org.hast4j.tensor.RangeRule;
import org.hast4j.tensor.StraightThrough;

/** Quantizers and their ranges: quantize.h of the C ABI. */
public sealed interface Quantization extends Op {
  /** (x, range [2]) to the fake-quantised x; {@code straightThrough} says where gradients pass. */
  record FakeQuant(int bits, StraightThrough straightThrough) implements Quantization {
    public FakeQuant {
      Shapes.bits(bits);
    }

    /** With the gradient straight through everywhere. */
    public FakeQuant(int bits) {
      this(bits, StraightThrough.EVERYWHERE);
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

  /** (dy, x, range) to dx of a {@link FakeQuant} whose gradient passes in its range only. */
  record FakeQuantGrad(FakeQuant forward) implements Quantization {
    public FakeQuantGrad {
      if (forward.straightThrough() != StraightThrough.IN_RANGE) {
        throw new IllegalArgumentException(
            "the gradient of a quantiser that passes it everywhere is the identity: " + forward);
      }
    }

    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("fake quantisation gradient", inputs, 3);
      Shapes.same("fake quantisation gradient x", inputs.get(1), inputs.get(0));
      return forward.outputs(List.of(inputs.get(0), inputs.get(2)));
    }

    @Override
    public boolean reuses(int output, int input) {
      return input < 2;
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
