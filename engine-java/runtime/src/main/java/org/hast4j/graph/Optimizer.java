package org.hast4j.graph;

import static org.hast4j.graph.TensorType.f32;

import java.util.List;

/** Steps of optimizers: optim.h of the C ABI. */
public sealed interface Optimizer extends Op {
  /** (p, m, v, g, lr [1], completed steps [1]). */
  record AdamStep(float beta1, float beta2, float epsilon) implements Optimizer {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("Adam", inputs, 6);
      Shapes.alike("Adam", inputs.subList(0, 4));
      Shapes.same("Adam learning rate", inputs.get(4), f32(1));
      Shapes.same("Adam counter", inputs.get(5), TensorType.i64(1));
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }

  /** (p, buffer, g, lr [1][, rates]): each element at a rate of its own, times the common one. */
  record SgdStep(float momentum, float decay, boolean nesterov) implements Optimizer {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      boolean rates = inputs.size() == 5;
      Shapes.count("SGD", inputs, rates ? 5 : 4);
      Shapes.alike("SGD", inputs.subList(0, 3));
      Shapes.same("SGD learning rate", inputs.get(3), f32(1));
      if (rates) {
        Shapes.alike("SGD rates", List.of(inputs.get(0), inputs.get(4)));
      }
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }

  /**
   * (p, m, v, state [3] {lr, best, bad steps}, completed steps [1], g, loss [1]): Adam with the
   * learning rate of the state, then ReduceLROnPlateau on the state, then one more completed step.
   */
  record SampleStep(
      float beta1,
      float beta2,
      float epsilon,
      float factor,
      float threshold,
      float minLr,
      float lrEpsilon,
      int patience)
      implements Optimizer {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("sample step", inputs, 7);
      Shapes.alike(
          "sample step", List.of(inputs.get(0), inputs.get(1), inputs.get(2), inputs.get(5)));
      Shapes.same("sample step state", inputs.get(3), f32(3));
      Shapes.same("sample step counter", inputs.get(4), TensorType.i64(1));
      Shapes.same("sample step loss", inputs.get(6), f32(1));
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }

  /**
   * (kept [n], kept loss [1], kept at [1], p [n], loss [1], now [1]): where the loss is below the
   * kept one, p, the loss and the count {@code now} become what is kept.
   */
  record KeepBestStep() implements Optimizer {
    @Override
    public List<TensorType> outputs(List<TensorType> inputs) {
      Shapes.count("keeping the best", inputs, 6);
      Shapes.alike("keeping the best", List.of(inputs.get(0), inputs.get(3)));
      Shapes.same("kept loss", inputs.get(1), f32(1));
      Shapes.same("kept count", inputs.get(2), TensorType.i64(1));
      Shapes.same("loss", inputs.get(4), f32(1));
      Shapes.same("count", inputs.get(5), TensorType.i64(1));
      return List.of();
    }

    @Override
    public boolean effect() {
      return true;
    }
  }
}
