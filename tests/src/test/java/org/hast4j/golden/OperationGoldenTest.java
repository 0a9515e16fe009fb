package org.hast4j.golden;

import static org.assertj.core.api.Assertions.assertThat;
import static org.hast4j.graph.TensorType.f32;
import static org.hast4j.graph.TensorType.i32;
import static org.hast4j.graph.TensorType.i64;

import java.util.Arrays;
import java.util.List;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Gradients;
import org.hast4j.graph.Loss;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Optimizer;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Quantization;
import org.hast4j.graph.Random;
import org.hast4j.graph.Value;
import org.hast4j.oracle.Tensor;
import org.hast4j.tensor.RangeRule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Operations against vectors of the original implementation: the oracle in double precision and the
 * CPU kernels.
 */
class OperationGoldenTest {
  /** Kernels against double-precision vectors. */
  private static final double SINGLE = 1e-5;

  /**
   * The oracle against them: what is left are attributes such as .1, which the operations hold in
   * single precision.
   */
  private static final double DOUBLE = 1e-7;

  @RegisterExtension static final Devices DEVICES = new Devices(Platform.CPU);

  private static void check(Runs runs, Golden golden, Value value, String name) {
    runs.compare(
        value,
        (reference, device) -> {
          golden.matches("f64." + name, reference, DOUBLE);
          golden.matches("f64." + name, device, SINGLE);
          golden.matches("f32." + name, device, SINGLE);
        });
  }

  // ---- quantisers ----

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4, 5, 8})
  void convolutionWithQuantizedWeights(int bits) {
    Golden golden = Golden.open("weight_quant");
    String prefix = "conv.k" + bits + ".";
    try (Runs runs = new Runs(DEVICES.open())) {
      Value x = runs.input(golden.tensor("conv_x"));
      Value dy = runs.input(golden.tensor("conv_gy"));
      Value weight =
          runs.apply(new Quantization.FakeQuantChannel(bits), runs.input(golden.tensor("conv_w")));
      Value y = runs.apply(new Convolution.Conv2d(1, 1), x, weight);
      Value dx =
          runs.apply(
              new Convolution.Conv2dDataGrad(new Convolution.Conv2d(1, 1), x.type(), false),
              dy,
              weight);
      // Straight through: the gradient at the quantised weight is that at the weight.
      Value dweight =
          runs.apply(
              new Convolution.Conv2dWeightGrad(new Convolution.Conv2d(1, 1), weight.type()), dy, x);
      runs.watch(weight, y, dx, dweight);
      runs.run();
      golden.matches("f32." + prefix + "dq", runs.device(weight), SINGLE);
      golden.matches("f64." + prefix + "dq", runs.device(weight), SINGLE);
      golden.matches("f64." + prefix + "y", runs.device(y), SINGLE);
      golden.matches("f32." + prefix + "y", runs.device(y), SINGLE);
      golden.matches("f64." + prefix + "gx", runs.device(dx), SINGLE);
      golden.matches("f32." + prefix + "gx", runs.device(dx), SINGLE);
      check(runs, golden, dweight, prefix + "gw");
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4, 5, 8})
  void linearWithQuantizedWeights(int bits) {
    Golden golden = Golden.open("weight_quant");
    String prefix = "lin.k" + bits + ".";
    try (Runs runs = new Runs(DEVICES.open())) {
      Value x = runs.input(golden.tensor("lin_x"));
      Value dy = runs.input(golden.tensor("lin_gy"));
      Value weight =
          runs.apply(new Quantization.FakeQuantChannel(bits), runs.input(golden.tensor("lin_w")));
      Value y = runs.apply(new Convolution.Linear(), x, weight, runs.input(golden.tensor("lin_b")));
      Value dx = runs.apply(new Convolution.LinearDataGrad(), dy, weight);
      Node gradient = runs.graph().apply(new Convolution.LinearWeightGrad(), dy, x);
      runs.watch(weight, y, dx, gradient.output(0), gradient.output(1));
      runs.run();
      golden.matches("f32." + prefix + "dq", runs.device(weight), SINGLE);
      golden.matches("f64." + prefix + "y", runs.device(y), SINGLE);
      golden.matches("f64." + prefix + "gx", runs.device(dx), SINGLE);
      check(runs, golden, gradient.output(0), prefix + "gw");
      check(runs, golden, gradient.output(1), prefix + "gb");
    }
  }

  private static Tensor slice(Tensor tensor, int index, long... sizes) {
    int count = Math.toIntExact(f32(sizes).shape().elements());
    return new Tensor(
        f32(sizes), Arrays.copyOfRange(tensor.values(), index * count, (index + 1) * count));
  }

  /** The released rule while ranges are tracked: a quantiser sees its own batch first. */
  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4, 5, 8})
  void trackedActivations(int bits) {
    Golden golden = Golden.open("act_quant");
    // [step, n, c, h, w]: elementwise, so the order inside a step does not matter.
    Tensor sequence = golden.tensor("x_seq");
    try (Runs runs = new Runs(DEVICES.open())) {
      Value x = runs.input(slice(sequence, 0, 72));
      Value range = runs.input(Tensor.zeros(f32(2)));
      Value state = runs.input(Tensor.of(f32(3), 0, 0, 1));
      Value batch = runs.apply(new Quantization.MinMax(), x);
      runs.graph()
          .apply(new Quantization.RangeTrackStep(.9f, RangeRule.RELEASED), range, state, batch);
      Value y = runs.apply(new Quantization.FakeQuant(bits), x, range);
      runs.watch(y, range, state);
      for (int step = 0; step < 6; step++) {
        if (step > 0) {
          runs.set(x, slice(sequence, step, 72));
        }
        runs.run();
        String trace = "k" + bits + ".trace_min_max_betat";
        // 1 - .9 in single precision is off by 2e-7 already, and every update divides by more of
        // it.
        golden.matches(
            trace, slice(golden.tensor("f64." + trace), step, 3), runs.reference(state), SINGLE);
        golden.matches(
            trace, slice(golden.tensor("f32." + trace), step, 3), runs.device(state), SINGLE);
        assertThat(runs.device(range).floats())
            .containsExactly(Arrays.copyOf(runs.device(state).floats(), 2));
        String name = "k" + bits + ".y" + step;
        golden.matches(name, flat(file("act_quant", "f32." + name)), runs.device(y), SINGLE);
        golden.matches(name, flat(file("act_quant", "f64." + name)), runs.device(y), SINGLE);
      }
    }
  }

  /** A tensor in the order it is stored in. */
  private static Tensor file(String golden, String name) {
    double[] values = org.hast4j.io.Safetensors.read(Golden.path(golden)).tensor(name).doubles();
    return Tensor.of(f32(values.length), values);
  }

  private static Tensor flat(Tensor tensor) {
    return Tensor.of(f32(tensor.count()), tensor.values());
  }

  /** 900 updates by the released rule, through its overshoot near update 20 and out again. */
  @Test
  void releasedRangesOvershoot() {
    Golden golden = Golden.open("act_quant");
    Tensor batches = golden.tensor("long.minmax");
    Tensor trace = golden.tensor("f64.long.trace_min_max_betat");
    try (Runs runs = new Runs(DEVICES.open())) {
      Value range = runs.input(Tensor.zeros(f32(2)));
      Value state = runs.input(Tensor.of(f32(3), 0, 0, 1));
      Value batch = runs.input(slice(batches, 0, 2));
      runs.graph()
          .apply(new Quantization.RangeTrackStep(.9f, RangeRule.RELEASED), range, state, batch);
      runs.watch(range, state);
      double largest = 0;
      for (int step = 0; step < 900; step++) {
        if (step > 0) {
          runs.set(batch, slice(batches, step, 2));
        }
        runs.run();
        // The golden momentum is .9 in double, ours in single precision: 900 products drift apart
        // by their number.
        golden.matches("trace " + step, slice(trace, step, 3), runs.reference(state), 1e-5);
        golden.matches("trace " + step, slice(trace, step, 3), runs.device(state), 1e-4);
        largest =
            Math.max(
                largest, Math.abs(runs.device(range).values()[1] / batches.values()[2 * step + 1]));
      }
      assertThat(largest).as("overshoot of the released rule").isGreaterThan(1000);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 4, 5, 8})
  void frozenActivations(int bits) {
    Golden golden = Golden.open("act_quant");
    String prefix = "k" + bits + ".fixed.";
    try (Runs runs = new Runs(DEVICES.open())) {
      Value x = runs.input(golden.tensor("x_fixed"));
      Value y =
          runs.apply(new Quantization.FakeQuant(bits), x, runs.input(Tensor.of(f32(2), 0, 3.3f)));
      runs.watch(y);
      runs.run();
      golden.matches("f32." + prefix + "y", runs.device(y), SINGLE);
      golden.matches("f64." + prefix + "y", runs.device(y), SINGLE);
      golden.matches("f64." + prefix + "gx", golden.tensor("gy"), 0);
    }
  }

  // ---- losses ----

  @ParameterizedTest
  @CsvSource({"10, 2", "0.1, 0.5", "1, 0", "1, 1"})
  void hardSampleCrossEntropy(String beta, String gamma) {
    Golden golden = Golden.open("hard_ce");
    String prefix = "b%s_g%s.".formatted(beta, gamma);
    try (Runs runs = new Runs(DEVICES.open())) {
      Value logits = runs.input(golden.tensor("logits"));
      Value labels = runs.input(golden.tensor("labels"));
      Node loss =
          runs.graph()
              .apply(
                  new Loss.HardCrossEntropy(Float.parseFloat(beta), Float.parseFloat(gamma)),
                  logits,
                  labels);
      runs.watch(loss.output(0), loss.output(1), loss.output(2));
      runs.run();
      check(runs, golden, loss.output(0), prefix + "loss");
      Tensor p = runs.device(loss.output(2));
      Arrays.setAll(p.values(), i -> 1 - p.values()[i]);
      golden.matches("f64." + prefix + "p", p, SINGLE);
      // Row 0 has p = 1 in single precision, where the original gradient is NaN for gamma below 1.
      int skipped = Float.parseFloat(gamma) < 1 ? 1 : 0;
      Tensor expected = rows(golden.tensor("f64." + prefix + "glogits"), skipped);
      golden.matches(prefix, expected, rows(runs.reference(loss.output(1)), skipped), DOUBLE);
      golden.matches(prefix, expected, rows(runs.device(loss.output(1)), skipped), SINGLE);
      assertThat(runs.device(loss.output(1)).floats()).doesNotContain(Float.NaN);
      for (float gradient : runs.device(loss.output(1)).floats()) {
        assertThat(gradient).isFinite();
      }
    }
  }

  private static Tensor rows(Tensor tensor, int from) {
    int columns = tensor.size(1);
    return new Tensor(
        f32(tensor.size(0) - from, columns),
        Arrays.copyOfRange(tensor.values(), from * columns, tensor.count()));
  }

  @Test
  void batchNormStatistics() {
    Golden golden = Golden.open("bns_loss");
    try (Runs runs = new Runs(DEVICES.open())) {
      Value x = runs.input(golden.tensor("x"));
      Node first =
          norm(
              runs,
              runs.apply(new Convolution.Conv2d(1, 1), x, runs.input(golden.tensor("w1"))),
              golden,
              1,
              0);
      Value hidden = first.output(Norm.BnAct.Y);
      Node second =
          norm(
              runs,
              runs.apply(new Convolution.Conv2d(2, 1), hidden, runs.input(golden.tensor("w2"))),
              golden,
              2,
              1);
      Value out = second.output(Norm.BnAct.Y);
      // The gradient rule wants the last output in the loss: here with weight 0.
      Value none =
          runs.apply(
              new Loss.HardCrossEntropy(0, 0),
              runs.apply(new Pooling.GlobalAvgPool(), out),
              runs.input(Tensor.zeros(i32(3))));
      Value loss = statistics(runs, first, none);
      loss = statistics(runs, second, loss);
      Value gradient = Gradients.of(runs.graph(), loss, List.of(x)).getFirst();
      runs.watch(out, loss, gradient);
      runs.watch(first.output(Norm.BnAct.BATCH_MEAN), first.output(Norm.BnAct.BATCH_VARIANCE));
      runs.watch(second.output(Norm.BnAct.BATCH_MEAN), second.output(Norm.BnAct.BATCH_VARIANCE));
      runs.run();
      check(runs, golden, out, "out");
      check(runs, golden, first.output(Norm.BnAct.BATCH_MEAN), "mean1");
      check(runs, golden, first.output(Norm.BnAct.BATCH_VARIANCE), "var1");
      check(runs, golden, second.output(Norm.BnAct.BATCH_MEAN), "mean2");
      check(runs, golden, second.output(Norm.BnAct.BATCH_VARIANCE), "var2");
      Tensor sum = sum(golden, "mean_loss", "var_loss");
      golden.matches("loss", sum, runs.reference(loss), DOUBLE);
      golden.matches("loss", sum, runs.device(loss), SINGLE);
      Tensor gradients = sum(golden, "gx_mean", "gx_var");
      golden.matches("gx", gradients, runs.reference(gradient), DOUBLE);
      golden.matches("gx", gradients, runs.device(gradient), SINGLE);
    }
  }

  private static Tensor sum(Golden golden, String a, String b) {
    Tensor sum = golden.tensor("f64." + a);
    double[] other = golden.tensor("f64." + b).values();
    Arrays.setAll(sum.values(), i -> sum.values()[i] + other[i]);
    return sum;
  }

  private static Node norm(Runs runs, Value u, Golden golden, int layer, float slope) {
    return runs.graph()
        .apply(
            new Norm.BnAct(true, false, 0, slope, 1e-5f, false),
            u,
            runs.input(golden.tensor("m" + layer)),
            runs.input(golden.tensor("v" + layer)),
            runs.input(golden.tensor("g" + layer)),
            runs.input(golden.tensor("b" + layer)));
  }

  private static Value statistics(Runs runs, Node norm, Value base) {
    Value u = norm.inputs().getFirst();
    long rows = u.type().shape().elements() / u.size(3);
    return runs.apply(
        new Loss.BnStatsLoss(rows, .5f, true),
        norm.output(Norm.BnAct.BATCH_MEAN),
        norm.output(Norm.BnAct.BATCH_VARIANCE),
        norm.inputs().get(1),
        norm.inputs().get(2),
        base);
  }

  @Test
  void distillation() {
    Golden golden = Golden.open("kd_fa");
    try (Runs runs = new Runs(DEVICES.open())) {
      Node loss =
          runs.graph()
              .apply(
                  new Loss.DistillKl(20, 20),
                  runs.input(golden.tensor("student_logits")),
                  runs.input(golden.tensor("teacher_logits")));
      runs.watch(loss.output(0), loss.output(1), loss.output(2));
      runs.run();
      golden.matches("f64.loss_KL", runs.reference(loss.output(0)), DOUBLE);
      golden.matches("f64.loss_KL", runs.device(loss.output(0)), SINGLE);
      // In single precision throughout, as the original, three to four digits cancel.
      golden.matches("f32.loss_KL", runs.device(loss.output(0)), 5e-4);
      golden.matches("f64.KL.gstudent", runs.reference(loss.output(1)), DOUBLE);
      golden.matches("f64.KL.gstudent", runs.device(loss.output(1)), SINGLE);
      golden.matches("f64.KL.gteacher", runs.reference(loss.output(2)), DOUBLE);
      golden.matches("f64.KL.gteacher", runs.device(loss.output(2)), SINGLE);
    }
  }

  @Test
  void featureAlignment() {
    Golden golden = Golden.open("kd_fa");
    try (Runs runs = new Runs(DEVICES.open())) {
      Value loss = null;
      Value[][] gradients = new Value[2][2];
      for (int tap = 0; tap < 2; tap++) {
        Value[] features = new Value[2];
        Node[] norms = new Node[2];
        for (int side = 0; side < 2; side++) {
          features[side] = runs.input(golden.tensor((side == 0 ? "fs" : "ft") + tap));
          norms[side] = identity(runs, features[side]);
        }
        long area = features[0].size(1) * features[0].size(2);
        Node align =
            loss == null
                ? runs.graph()
                    .apply(
                        new Loss.FeatureAlign(area, 1000, false),
                        attention(norms[0]),
                        attention(norms[1]))
                : runs.graph()
                    .apply(
                        new Loss.FeatureAlign(area, 1000, true),
                        attention(norms[0]),
                        attention(norms[1]),
                        loss);
        loss = align.output(0);
        for (int side = 0; side < 2; side++) {
          gradients[tap][side] = featureGradient(runs, norms[side], align.output(1 + side));
          runs.watch(gradients[tap][side]);
        }
      }
      runs.watch(loss);
      runs.run();
      check(runs, golden, loss, "loss_FA");
      for (int tap = 0; tap < 2; tap++) {
        check(runs, golden, gradients[tap][0], "FA.gfs" + tap);
        check(runs, golden, gradients[tap][1], "FA.gft" + tap);
      }
    }
  }

  /** A batch norm that leaves its input alone, for its attention. */
  private static Node identity(Runs runs, Value features) {
    long c = features.size(3);
    Tensor ones = Tensor.zeros(f32(c));
    Arrays.fill(ones.values(), 1);
    return runs.graph()
        .apply(
            new Norm.BnAct(false, false, 0, 1, 0, false),
            features,
            runs.input(Tensor.zeros(f32(c))),
            runs.input(ones));
  }

  private static Value attention(Node norm) {
    return norm.output(Norm.BnAct.ATTENTION);
  }

  private static Value featureGradient(Runs runs, Node norm, Value factor) {
    Value u = norm.inputs().getFirst();
    return runs.apply(
        new Norm.BnActGrad((Norm.BnAct) norm.op(), false, true, false),
        runs.input(Tensor.zeros(u.type())),
        u,
        norm.inputs().get(1),
        norm.inputs().get(2),
        factor);
  }

  // ---- optimisers ----

  private interface Step {
    void append(Runs runs, Value p, Value g, Value lr);
  }

  private static void optimize(String name, float learningRate, Step step) {
    Golden golden = Golden.open("optim");
    Tensor gradients = golden.tensor("grads");
    try (Runs runs = new Runs(DEVICES.open())) {
      Value p = runs.input(golden.tensor("p0"));
      Value g = runs.input(slice(gradients, 0, 7));
      step.append(runs, p, g, runs.input(Tensor.of(f32(1), learningRate)));
      runs.watch(p);
      for (int i = 0; i < 5; i++) {
        if (i > 0) {
          runs.set(g, slice(gradients, i, 7));
        }
        runs.run();
        golden.matches(name, slice(golden.tensor("f64." + name), i, 7), runs.reference(p), DOUBLE);
        golden.matches(name, slice(golden.tensor("f64." + name), i, 7), runs.device(p), SINGLE);
        golden.matches(name, slice(golden.tensor("f32." + name), i, 7), runs.device(p), SINGLE);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"sgd, 1e-5", "sgd_lr0.1, 0.1"})
  void stochasticGradientDescent(String name, float learningRate) {
    optimize(
        name,
        learningRate,
        (runs, p, g, lr) ->
            runs.graph()
                .apply(
                    new Optimizer.SgdStep(.9f, 1e-4f, true),
                    p,
                    runs.input(Tensor.zeros(f32(7))),
                    g,
                    lr));
  }

  @ParameterizedTest
  @CsvSource({"adam_lr0.5, 0.5, 0.9", "adamG, 1e-3, 0.5"})
  void adam(String name, float learningRate, float beta1) {
    optimize(
        name,
        learningRate,
        (runs, p, g, lr) -> {
          Value completed = runs.input(Tensor.zeros(i64(1)));
          runs.graph()
              .apply(
                  new Optimizer.AdamStep(beta1, .999f, 1e-8f),
                  p,
                  runs.input(Tensor.zeros(f32(7))),
                  runs.input(Tensor.zeros(f32(7))),
                  g,
                  lr,
                  completed);
          runs.graph().apply(new Elementwise.CounterStep(), completed);
        });
  }

  private static final Optimizer.SampleStep SAMPLE_STEP =
      new Optimizer.SampleStep(.9f, .999f, 1e-8f, .1f, 1e-4f, 1e-4f, 1e-8f, 50);

  @Test
  void sampleStep() {
    optimize(
        "adam_lr0.5",
        .5f,
        (runs, p, g, _) ->
            runs.graph()
                .apply(
                    SAMPLE_STEP,
                    p,
                    runs.input(Tensor.zeros(f32(7))),
                    runs.input(Tensor.zeros(f32(7))),
                    runs.input(Tensor.of(f32(3), .5, Double.POSITIVE_INFINITY, 0)),
                    runs.input(Tensor.zeros(i64(1))),
                    g,
                    runs.input(Tensor.zeros(f32(1)))));
  }

  @Test
  void sampleStepOnAPlateau() {
    Golden golden = Golden.open("optim");
    Tensor losses = golden.tensor("plateau.loss");
    Tensor rates = golden.tensor("plateau.lr_used_at_iter");
    try (Runs runs = new Runs(DEVICES.open())) {
      Value state = runs.input(Tensor.of(f32(3), rates.values()[0], Double.POSITIVE_INFINITY, 0));
      Value loss = runs.input(slice(losses, 0, 1));
      runs.graph()
          .apply(
              SAMPLE_STEP,
              runs.input(Tensor.zeros(f32(1))),
              runs.input(Tensor.zeros(f32(1))),
              runs.input(Tensor.zeros(f32(1))),
              state,
              runs.input(Tensor.zeros(i64(1))),
              runs.input(Tensor.zeros(f32(1))),
              loss);
      runs.watch(state);
      runs.run();
      for (int i = 1; i < losses.count(); i++) {
        double expected = rates.values()[i];
        double reference = runs.reference(state).values()[0];
        double device = runs.device(state).values()[0];
        assertThat(Math.abs(reference - expected) <= DOUBLE * expected)
            .as("rate %s at %d", reference, i)
            .isTrue();
        assertThat(Math.abs(device - expected) <= SINGLE * expected)
            .as("rate %s at %d", device, i)
            .isTrue();
        runs.set(loss, slice(losses, i, 1));
        runs.run();
      }
    }
  }

  // ---- augmentation ----

  @Test
  void crops() {
    Golden golden = Golden.open("augment");
    Tensor boxes = golden.tensor("boxes_i_j_h_w");
    for (int n = 0; n < 4; n++) {
      double[] box = boxes.values();
      Tensor six =
          Tensor.of(i32(1, 6), 0, box[4 * n], box[4 * n + 1], box[4 * n + 2], box[4 * n + 3], 0);
      try (Runs runs = new Runs(DEVICES.open())) {
        Value image = runs.input(golden.image("img"));
        Value chosen = runs.input(six);
        Value y = runs.apply(new Random.CropFlip(32, 32), image, chosen);
        Value gradient =
            runs.apply(
                new Random.CropFlipGrad(image.type()), runs.input(golden.image("gy")), chosen);
        runs.watch(y, gradient);
        runs.run();
        golden.matches("y", golden.image("f64.y" + n), runs.reference(y), DOUBLE);
        golden.matches("y", golden.image("f64.y" + n), runs.device(y), SINGLE);
        golden.matches("gx", golden.image("f64.gx" + n), runs.reference(gradient), DOUBLE);
        golden.matches("gx", golden.image("f64.gx" + n), runs.device(gradient), SINGLE);
      }
    }
  }

  @Test
  void flip() {
    Golden golden = Golden.open("augment");
    try (Runs runs = new Runs(DEVICES.open())) {
      Value y =
          runs.apply(
              new Random.CropFlip(32, 32),
              runs.input(golden.image("img")),
              runs.input(Tensor.of(i32(1, 6), 0, 0, 0, 32, 32, 1)));
      runs.watch(y);
      runs.run();
      assertThat(runs.device(y).floats()).containsExactly(golden.image("f32.hflip").floats());
    }
  }
}
