package org.hast4j.graph;

import java.util.List;
import org.hast4j.tensor.Shape;

/**
 * Operations on each element by itself, and the conditional embedding: elementwise.h and layer.h of
 * the C ABI.
 */
public sealed interface Elementwise extends Op {
  record Tanh() implements Elementwise {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("tanh", inputs, 1);
      Shapes.floats("tanh x", inputs.get(0));
      return inputs;
    }

    @Override
    public boolean reuses(int output, int input) {
      return true;
    }
  }

  /** (dy, y) to dx. */
  record TanhGrad() implements Elementwise {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("tanh gradient", inputs, 2);
      Shapes.floats("tanh gradient dy", inputs.get(0));
      Shapes.same("tanh gradient y", inputs.get(1), inputs.get(0));
      return List.of(inputs.get(0));
    }

    @Override
    public boolean reuses(int output, int input) {
      return input == 0;
    }
  }

  /** a + b. */
  record Add() implements Elementwise {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("add", inputs, 2);
      Shapes.floats("add x", inputs.get(0));
      Shapes.same("add", inputs.get(1), inputs.get(0));
      return List.of(inputs.get(0));
    }

    @Override
    public boolean reuses(int output, int input) {
      return true;
    }
  }

  /** factor times x. */
  record Scale(float factor) implements Elementwise {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("scale", inputs, 1);
      Shapes.floats("scale x", inputs.get(0));
      return inputs;
    }

    @Override
    public boolean reuses(int output, int input) {
      return true;
    }
  }

  /** (x, g) to x + epsilon sign(g). No gradient. */
  record SignPerturb(float epsilon) implements Elementwise {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("sign perturbation", inputs, 2);
      Shapes.floats("sign perturbation x", inputs.get(0));
      Shapes.same("sign perturbation", inputs.get(1), inputs.get(0));
      return List.of(inputs.get(0));
    }

    @Override
    public boolean reuses(int output, int input) {
      return true;
    }
  }

  /** (table [classes, d], noise [n, d], labels [n]) to table[labels] times noise. */
  record Embedding() implements Elementwise {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("embedding", inputs, 3);
      Shape table = Shapes.rank("embedding table", inputs.get(0), 2);
      Shape noise = Shapes.rank("embedding noise", inputs.get(1), 2);
      Shapes.equal("embedding width", table.size(1), noise.size(1));
      Shapes.same("embedding labels", inputs.get(2), TensorType.i32(noise.size(0)));
      return List.of(inputs.get(1));
    }
  }

  /** (dy, noise, labels) to dtable. */
  record EmbeddingGrad(TensorType table) implements Elementwise {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("embedding gradient", inputs, 3);
      TensorType y =
          new Embedding().outputs(List.of(table, inputs.get(1), inputs.get(2))).getFirst();
      Shapes.same("embedding gradient dy", inputs.get(0), y);
      return List.of(table);
    }
  }

  /** Adds 1 to a counter (int64[1]). */
  record CounterStep() implements Elementwise {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("counter", inputs, 1);
      Shapes.same("counter", inputs.get(0), TensorType.i64(1));
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }
}
