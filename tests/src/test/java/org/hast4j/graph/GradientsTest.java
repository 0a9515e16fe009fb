package org.hast4j.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.hast4j.graph.TensorType.f32;
import static org.hast4j.graph.TensorType.i32;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.hast4j.forward.ActivationQuantizers;
import org.hast4j.forward.Forward;
import org.hast4j.forward.Mode;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.forward.Parameters;
import org.hast4j.hast.GeneratorGraph;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.Scheme;
import org.hast4j.oracle.Interpreter;
import org.hast4j.oracle.Tape;
import org.hast4j.oracle.Tensor;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.ActivationFunction.Kind;
import org.hast4j.tensor.StraightThrough;
import org.hast4j.tensor.Window;
import org.hast4j.zoo.CifarResNet;
import org.hast4j.zoo.Topologies;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * {@link Gradients} on the graphs the method uses, all in double precision: the nodes it appends,
 * run by the interpreter, against the tape, which differentiates the same run on its own. The tape
 * itself is held against differences of the loss where the loss is differentiable.
 */
class GradientsTest {
  private static final int BATCH = 2;
  private static final int CLASSES = 10;

  private final RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(11);
  private final Interpreter interpreter = new Interpreter();
  private final Graph graph = new Graph();

  // ---- what the graphs are made of ----

  private Value input(String name, double deviation, long... sizes) {
    TensorType type = f32(sizes);
    Storage storage = Storage.of(name, type);
    interpreter.write(storage, 0, Tensor.fill(type, () -> deviation * random.nextGaussian()));
    return graph.variable(storage, type);
  }

  private Value positive(String name, long... sizes) {
    TensorType type = f32(sizes);
    Storage storage = Storage.of(name, type);
    interpreter.write(storage, 0, Tensor.fill(type, () -> .5 + random.nextDouble()));
    return graph.variable(storage, type);
  }

  private Value labels() {
    TensorType type = i32(BATCH);
    Storage storage = Storage.of("labels", type);
    interpreter.write(storage, 0, Tensor.fill(type, () -> random.nextInt(CLASSES)));
    return graph.variable(storage, type);
  }

  private Value image() {
    return input("image", 1, BATCH, 32, 32, 3);
  }

  private Parameters parameters(Model model, String owner) {
    Parameters parameters = new Parameters(model, owner);
    fill(parameters.trained(), parameters.trainedStorage());
    fill(ParameterLayout.statistics(model), parameters.statisticsStorage());
    return parameters;
  }

  /** Weights that keep activations at about 1; variances and scales around 1. */
  private void fill(ParameterLayout layout, Storage storage) {
    for (String name : layout.names()) {
      TensorType type = layout.get(name).type();
      long fanIn = type.shape().elements() / type.shape().size(0);
      boolean aroundOne =
          type.shape().rank() == 1 && (name.endsWith(".weight") || name.endsWith("_var"));
      double deviation = type.shape().rank() > 1 ? 1 / Math.sqrt(fanIn) : .2;
      interpreter.write(
          storage,
          layout.get(name).offset(),
          Tensor.fill(
              type,
              () -> aroundOne ? .6 + random.nextDouble() : deviation * random.nextGaussian()));
    }
  }

  private static Model tiny(CifarResNet.Shortcut shortcut) {
    return CifarResNet.of(8, 4, CLASSES, shortcut);
  }

  private Value statisticLosses(Forward forward, Value base) {
    Value total = base;
    for (Forward.Statistics layer : forward.statistics()) {
      total =
          graph.value(
              new Loss.BnStatsLoss(layer.rows(), 1f / forward.statistics().size(), true),
              layer.mean(),
              layer.variance(),
              layer.runningMean(),
              layer.runningVariance(),
              total);
    }
    return total;
  }

  // ---- the two comparisons ----

  private void agreesWithTheTape(Value loss, List<Value> wrt) {
    List<Value> appended = Gradients.of(graph, loss, wrt);
    Interpreter.Trace trace = interpreter.run(graph);
    List<Tensor> expected = Tape.gradients(graph, trace, loss, wrt);
    for (int i = 0; i < wrt.size(); i++) {
      double[] actual = trace.of(appended.get(i)).values();
      double[] reference = expected.get(i).values();
      double scale = Arrays.stream(reference).map(Math::abs).max().orElseThrow();
      assertThat(scale).as("largest gradient at %s", wrt.get(i)).isPositive();
      for (int k = 0; k < actual.length; k++) {
        boolean close = Math.abs(actual[k] - reference[k]) <= 1e-9 * scale;
        assertThat(close)
            .as("d%s[%d] = %s, expected %s", wrt.get(i), k, actual[k], reference[k])
            .isTrue();
      }
    }
  }

  /** The tape against the loss a little further along random directions. */
  private void tapeAgreesWithDifferences(Value loss, List<Value> wrt) {
    List<Tensor> gradients = Tape.gradients(graph, interpreter.run(graph), loss, wrt);
    // So short that hardly any of the many thousand ReLUs has its kink in between.
    double h = 1e-8;
    for (int i = 0; i < wrt.size(); i++) {
      Op.Variable variable = (Op.Variable) wrt.get(i).node().op();
      Tensor start = interpreter.read(variable.storage(), variable.offset(), variable.type());
      Tensor direction = Tensor.fill(variable.type(), random::nextGaussian);
      double slope = 0;
      for (int k = 0; k < start.count(); k++) {
        slope += direction.values()[k] * gradients.get(i).values()[k];
      }
      double[] losses = new double[2];
      for (int side = 0; side < 2; side++) {
        double step = side == 0 ? -h : h;
        Tensor moved = start.copy();
        Arrays.setAll(moved.values(), k -> start.values()[k] + step * direction.values()[k]);
        interpreter.write(variable.storage(), variable.offset(), moved);
        losses[side] = interpreter.run(graph).of(loss).values()[0];
      }
      interpreter.write(variable.storage(), variable.offset(), start);
      double length = Math.sqrt(Arrays.stream(gradients.get(i).values()).map(g -> g * g).sum());
      assertThat((losses[1] - losses[0]) / (2 * h))
          .as("slope of the loss along %s", wrt.get(i))
          .isCloseTo(slope, within(1e-4 * length + 2e-6));
    }
  }

  // ---- synthesis ----

  @ParameterizedTest
  @EnumSource
  void hardSamplesWithStatistics(CifarResNet.Shortcut shortcut) {
    Model model = tiny(shortcut);
    Value x = image();
    Forward forward =
        Forward.of(
            graph,
            "teacher",
            model,
            parameters(model, "teacher").values(graph),
            x,
            new Mode.Evaluation());
    Node hard = graph.apply(new Loss.HardCrossEntropy(10, 2), forward.logits(), labels());
    Value total = statisticLosses(forward, hard.output(0));
    tapeAgreesWithDifferences(total, List.of(x));
    agreesWithTheTape(total, List.of(x));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"resnet18-w2-10-32px", "mobilenetv1-w0.25-10-32px", "mobilenetv2-w0.05-10-32px"})
  void hardSamplesOfImageNetNetworks(String name) {
    Model model = Topologies.named(name);
    Value x = image();
    Forward forward =
        Forward.of(
            graph,
            "teacher",
            model,
            parameters(model, "teacher").values(graph),
            x,
            new Mode.Evaluation());
    Node hard = graph.apply(new Loss.HardCrossEntropy(.1f, .5f), forward.logits(), labels());
    Value total = statisticLosses(forward, hard.output(0));
    tapeAgreesWithDifferences(total, List.of(x));
    agreesWithTheTape(total, List.of(x));
  }

  @Test
  void hardSamplesThroughCrops() {
    Model model = tiny(CifarResNet.Shortcut.B);
    Value x = image();
    TensorType boxType = i32(BATCH, 6);
    Storage storage = Storage.of("boxes", boxType);
    interpreter.write(storage, 0, Tensor.of(boxType, 0, 3, 5, 20, 24, 1, 1, 0, 2, 17, 30, 0));
    Value seen = graph.value(new Random.CropFlip(32, 32), x, graph.variable(storage, boxType));
    Forward forward =
        Forward.of(
            graph,
            "teacher",
            model,
            parameters(model, "teacher").values(graph),
            seen,
            new Mode.Evaluation());
    Node hard = graph.apply(new Loss.HardCrossEntropy(.1f, .5f), forward.logits(), labels());
    Value total = statisticLosses(forward, hard.output(0));
    tapeAgreesWithDifferences(total, List.of(x));
    agreesWithTheTape(total, List.of(x));
  }

  // ---- fine-tuning ----

  private Value distillation(Forward taught, Forward learnt, float lambda) {
    Value loss = graph.value(new Loss.DistillKl(20, 20), learnt.logits(), taught.logits());
    for (int tap = 0; tap < learnt.taps().size(); tap++) {
      loss =
          graph.value(
              new Loss.FeatureAlign(learnt.taps().get(tap).area(), lambda, true),
              learnt.taps().get(tap).attention(),
              taught.taps().get(tap).attention(),
              loss);
    }
    return loss;
  }

  @ParameterizedTest
  @EnumSource
  void distillationOfAFloatStudent(CifarResNet.Shortcut shortcut) {
    Model model = tiny(shortcut);
    Value x = image();
    Map<String, Value> teacher = parameters(model, "teacher").values(graph);
    Parameters student = parameters(model, "student");
    Map<String, Value> values = student.values(graph);
    Value loss =
        distillation(
            Forward.of(graph, "teacher", model, teacher, x, new Mode.Evaluation()),
            Forward.of(graph, "student", model, values, x, new Mode.Evaluation()),
            100);
    List<Value> wrt = new ArrayList<>(student.trained().names().stream().map(values::get).toList());
    wrt.add(x);
    tapeAgreesWithDifferences(loss, wrt);
    agreesWithTheTape(loss, wrt);
  }

  /**
   * The quantised student is not differentiable; the tape passes its quantisers straight through.
   */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "cifar-resnet8-w4-a",
        "cifar-resnet8-w4-b",
        "mobilenetv1-w0.25-10-32px",
        "mobilenetv2-w0.05-10-32px"
      })
  void distillationOfAQuantizedStudent(String name) {
    Model model = Topologies.named(name);
    Value x = image();
    Map<String, Value> teacher = parameters(model, "teacher").values(graph);
    Parameters student = parameters(model, "student");
    Map<String, Value> values = student.values(graph);
    Scheme scheme = new Scheme(new Bits(4, 4));
    ActivationQuantizers quantizers = ActivationQuantizers.of(model, scheme);
    for (int i = 0; i < quantizers.rows(); i++) {
      interpreter.cells(quantizers.ranges())[2 * i + 1] = 2;
    }
    Value loss =
        distillation(
            Forward.of(graph, "teacher", model, teacher, x, new Mode.Evaluation()),
            Forward.of(
                graph,
                "student",
                model,
                Parameters.quantized(graph, model, values, scheme),
                x,
                new Mode.Quantized(quantizers)),
            1000);
    List<Value> wrt = new ArrayList<>(student.trained().names().stream().map(values::get).toList());
    wrt.add(x);
    agreesWithTheTape(loss, wrt);
  }

  // ---- training ----

  @ParameterizedTest
  @EnumSource
  void trainingOnLabels(CifarResNet.Shortcut shortcut) {
    Model model = tiny(shortcut);
    Parameters trained = parameters(model, "trained");
    Map<String, Value> values = trained.values(graph);
    // Momentum 0 leaves the running statistics alone, so that every run of the graph gives the same
    // loss.
    Forward forward = Forward.of(graph, "network", model, values, image(), new Mode.Training(0));
    Node loss = graph.apply(new Loss.HardCrossEntropy(1, 0), forward.logits(), labels());
    List<Value> wrt = trained.trained().names().stream().map(values::get).toList();
    tapeAgreesWithDifferences(loss.output(0), wrt);
    agreesWithTheTape(loss.output(0), wrt);
  }

  // ---- calibration ----

  @Test
  void generatorAgainstATeacher() {
    Model model = tiny(CifarResNet.Shortcut.B);
    GeneratorGraph generator = new GeneratorGraph(4, model);
    fill(generator.layout(), generator.storage());
    Map<String, Value> values = generator.values(graph);
    Value y = labels();
    Value images = generator.forward(graph, values, input("noise", 1, BATCH, 4), y);
    Forward forward =
        Forward.of(
            graph,
            "teacher",
            model,
            parameters(model, "teacher").values(graph),
            images,
            new Mode.Evaluation());
    Node crossEntropy = graph.apply(new Loss.HardCrossEntropy(1, 0), forward.logits(), y);
    Value total = statisticLosses(forward, crossEntropy.output(0));
    // The biases of convolutions before a BatchNorm on batch statistics have no effect: no slope to
    // compare with.
    List<Value> wrt =
        values.entrySet().stream()
            .filter(entry -> !entry.getKey().matches("conv_blocks[12]\\.0\\.bias"))
            .map(Map.Entry::getValue)
            .toList();
    tapeAgreesWithDifferences(
        total, List.of(values.get("label_emb.weight"), values.get("conv_blocks2.3.weight")));
    agreesWithTheTape(total, wrt);
  }

  // ---- small graphs for what the networks leave out ----

  @Test
  void sumsAndScales() {
    Value a = input("a", 1, BATCH, CLASSES);
    Value b = input("b", 1, BATCH, CLASSES);
    Value mixed =
        graph.value(
            new Elementwise.Add(),
            graph.value(new Elementwise.Scale(.5f), a),
            graph.value(new Elementwise.Tanh(), b));
    Value twice = graph.value(new Elementwise.Add(), mixed, mixed);
    Value reshaped = graph.value(new Op.Reshape(f32(BATCH, CLASSES)), twice);
    Value y = labels();
    Value first = graph.value(new Loss.HardCrossEntropy(1, 0), reshaped, y);
    Value second = graph.value(new Loss.HardCrossEntropy(2, 1.5f), a, y);
    Value loss = graph.value(new Elementwise.Add(), first, second);
    tapeAgreesWithDifferences(loss, List.of(a, b));
    agreesWithTheTape(loss, List.of(a, b));
  }

  /** Gates for each channel, and one that is added, of the channels' own means. */
  @Test
  void squeezeAndExcitation() {
    Value x = input("x", 1, BATCH, 5, 4, 6);
    Value squeezed = graph.value(new Pooling.GlobalAvgPool(), x);
    Value gates =
        graph.value(
            new Elementwise.Activation(new ActivationFunction(Kind.HARD_SIGMOID)),
            graph.value(new Convolution.Linear(), squeezed, input("weight", 1, 6, 6)));
    Value gated = graph.value(new Elementwise.Mul(), x, gates);
    Value shifted = graph.value(new Elementwise.Add(), gated, squeezed);
    Value squared = graph.value(new Elementwise.Mul(), shifted, shifted);
    Value slope = input("slope", .3, 6);
    Value bent = graph.value(new Elementwise.PRelu(), shifted, slope);
    Value product = graph.value(new Elementwise.Mul(), squared, bent);
    Value pooled = graph.value(new Pooling.GlobalAvgPool(), product);
    Value logits =
        graph.value(new Convolution.Linear(), pooled, input("classifier", 1, CLASSES, 6));
    Value loss = graph.value(new Loss.HardCrossEntropy(1, 0), logits, labels());
    tapeAgreesWithDifferences(loss, List.of(x, slope));
    agreesWithTheTape(loss, List.of(x, slope, gates));
  }

  /** Channels taken apart, shuffled, pooled and put together, one part of them twice. */
  @Test
  void branches() {
    Value x = input("x", 1, BATCH, 6, 5, 6);
    Value shuffled = graph.value(new Pooling.ChannelShuffle(3), x);
    Value left = graph.value(new Pooling.Slice(0, 2), shuffled);
    Value right = graph.value(new Pooling.Slice(1, 6), shuffled);
    Value averaged =
        graph.value(new Pooling.AveragePool(1, 3, new Window(1, 1, 0, 2, 0, 0, 1, 1), false), left);
    Value largest =
        graph.value(new Pooling.MaxPool(3, 2, new Window(1, 1, 0, 1, 2, 0, 1, 1)), right);
    Value together = graph.value(new Pooling.Concat(), averaged, largest, averaged);
    Value smaller =
        graph.value(
            new Pooling.AveragePool(3, 2, new Window(2, 1, 0, 1, 1, 0, 1, 1), true), together);
    Value flat = graph.value(new Pooling.Flatten(), smaller);
    long inputs = flat.type().shape().size(1);
    Value logits =
        graph.value(new Convolution.Linear(), flat, input("classifier", .1, CLASSES, inputs));
    Value loss = graph.value(new Loss.HardCrossEntropy(1, 0), logits, labels());
    tapeAgreesWithDifferences(loss, List.of(x));
    agreesWithTheTape(loss, List.of(x, together));
  }

  /** Every activation on the way of one value to the loss, and a quantiser that stops gradients. */
  @Test
  void activations() {
    Value x = input("x", 2, BATCH, CLASSES);
    Value y = x;
    for (Kind kind : Kind.values()) {
      Value activated = graph.value(new Elementwise.Activation(new ActivationFunction(kind)), y);
      y = graph.value(new Elementwise.Add(), activated, x);
    }
    for (float[] relu : new float[][] {{.2f, Float.POSITIVE_INFINITY}, {0, 6}}) {
      Op op = new Elementwise.Activation(new ActivationFunction(Kind.RELU, relu[0], relu[1]));
      y = graph.value(new Elementwise.Add(), graph.value(op, y), x);
    }
    Value loss = graph.value(new Loss.HardCrossEntropy(1, 0), y, labels());
    tapeAgreesWithDifferences(loss, List.of(x));
    agreesWithTheTape(loss, List.of(x));
  }

  /** The gradient of a value beyond the range is that of its other way to the loss alone. */
  @Test
  void quantizersThatStopGradients() {
    Value x = input("x", 2, BATCH, CLASSES);
    Value scaled = graph.value(new Elementwise.Scale(2), x);
    Value range = positive("range", 2);
    Op.Variable variable = (Op.Variable) range.node().op();
    interpreter.write(variable.storage(), 0, Tensor.of(variable.type(), -1, 1));
    Op quantizer = new Quantization.FakeQuant(3, StraightThrough.IN_RANGE);
    Value y = graph.value(quantizer, scaled, range);
    Value loss = graph.value(new Loss.HardCrossEntropy(1, 0), y, labels());
    agreesWithTheTape(loss, List.of(x));
    Value gradient = Gradients.of(graph, loss, List.of(x)).getFirst();
    Interpreter.Trace trace = interpreter.run(graph);
    double[] values = trace.of(scaled).values();
    double[] gradients = trace.of(gradient).values();
    for (int i = 0; i < values.length; i++) {
      // Steps of 2/7 around 0: four of them and half a step below, three and half a step above.
      assertThat(gradients[i] != 0).isEqualTo(values[i] > -9. / 7 && values[i] < 1);
    }
  }

  /**
   * One value read by several convolutions, a biased one and one whose result is added to its own
   * input.
   */
  @Test
  void sharedInputs() {
    Value x = input("x", 1, BATCH, 5, 5, 4);
    Map<String, Value> weights = new LinkedHashMap<>();
    for (String name : List.of("first", "second", "third")) {
      weights.put(name, input(name, .2, 4, 3, 3, 4));
    }
    Value bias = input("bias", 1, 4);
    Value a = graph.value(new Convolution.Conv2d(1, 1), x, weights.get("first"), bias);
    Value b = graph.value(new Convolution.Conv2d(1, 1), x, weights.get("second"));
    Value sum = graph.value(new Elementwise.Add(), graph.value(new Elementwise.Add(), a, b), x);
    Value looped =
        graph.value(
            new Elementwise.Add(),
            graph.value(new Convolution.Conv2d(1, 1), sum, weights.get("third")),
            sum);
    Value pooled = graph.value(new Pooling.GlobalAvgPool(), looped);
    Value logits =
        graph.value(new Convolution.Linear(), pooled, input("classifier", 1, CLASSES, 4));
    Value loss = graph.value(new Loss.HardCrossEntropy(1, 0), logits, labels());
    List<Value> wrt = new ArrayList<>(weights.values());
    wrt.add(bias);
    wrt.add(x);
    tapeAgreesWithDifferences(loss, wrt);
    agreesWithTheTape(loss, wrt);
  }

  /** Convolutions with groups, biases, and windows that are different along the axes. */
  @Test
  void windowsAndGroups() {
    Value x = input("x", 1, BATCH, 6, 7, 4);
    Value first = input("first", .3, 6, 3, 3, 2);
    Value bias = input("bias", 1, 6);
    Value second = input("second", .3, 6, 3, 2, 1);
    Value shift = input("shift", 1, 6);
    Window window = new Window(2, 1, 0, 2, 1, 1, 1, 2);
    Value a = graph.value(new Convolution.Conv2d(window, 2), x, first, bias);
    Value b =
        graph.value(
            new Convolution.DepthwiseConv2d(new Window(1, 2, 2, 1, 0, 1, 2, 1)), a, second, shift);
    Value pooled = graph.value(new Pooling.GlobalAvgPool(), b);
    Value logits =
        graph.value(new Convolution.Linear(), pooled, input("classifier", 1, CLASSES, 6));
    Value loss = graph.value(new Loss.HardCrossEntropy(1, 0), logits, labels());
    List<Value> wrt = List.of(first, bias, second, shift, x);
    tapeAgreesWithDifferences(loss, wrt);
    agreesWithTheTape(loss, wrt);
  }

  /** Depthwise convolutions of both strides, one of an input that is read again. */
  @Test
  void depthwiseConvolutions() {
    Value x = input("x", 1, BATCH, 6, 5, 4);
    Value first = input("first", .3, 4, 3, 3, 1);
    Value second = input("second", .3, 4, 3, 3, 1);
    Value a = graph.value(new Convolution.DepthwiseConv2d(1, 1), x, first);
    Value sum = graph.value(new Elementwise.Add(), a, x);
    Value b = graph.value(new Convolution.DepthwiseConv2d(2, 1), sum, second);
    Value pooled =
        graph.value(
            new Elementwise.Add(),
            graph.value(new Pooling.GlobalAvgPool(), b),
            graph.value(new Pooling.GlobalAvgPool(), sum));
    Value logits =
        graph.value(new Convolution.Linear(), pooled, input("classifier", 1, CLASSES, 4));
    Value loss = graph.value(new Loss.HardCrossEntropy(1, 0), logits, labels());
    List<Value> wrt = List.of(first, second, x);
    tapeAgreesWithDifferences(loss, wrt);
    agreesWithTheTape(loss, wrt);
    assertThat(
            graph.nodes().stream()
                .filter(node -> node.op() instanceof Convolution.DepthwiseConv2dWeightGrad)
                .map(Node::lane))
        .isNotEmpty()
        .containsOnly(Lane.SIDE);
  }

  /**
   * A BatchNorm whose features, statistics and attention all reach the loss, between convolutions.
   */
  @Test
  void everyOutputOfABatchNorm() {
    Value x = input("x", 1, BATCH, 5, 5, 3);
    Value weight = input("weight", .3, 4, 3, 3, 3);
    Value u = graph.value(new Convolution.Conv2d(1, 1), x, weight);
    Value mean = input("mean", .3, 4);
    Value variance = positive("variance", 4);
    Value gamma = positive("gamma", 4);
    Value beta = input("beta", .3, 4);
    Value residual = input("residual", 1, BATCH, 5, 5, 4);
    Node norm =
        graph.apply(
            new Norm.BnAct(true, true, 0, .2f, 1e-5f, false),
            u,
            mean,
            variance,
            gamma,
            beta,
            residual);
    Value pooled = graph.value(new Pooling.GlobalAvgPool(), norm.output(Norm.BnAct.Y));
    Value logits =
        graph.value(
            new Convolution.Linear(),
            pooled,
            input("classifier", 1, CLASSES, 4),
            input("bias", 1, CLASSES));
    Value loss = graph.value(new Loss.HardCrossEntropy(1, 0), logits, labels());
    loss =
        graph.value(
            new Loss.BnStatsLoss(BATCH * 25L, .7f, true),
            norm.output(Norm.BnAct.BATCH_MEAN),
            norm.output(Norm.BnAct.BATCH_VARIANCE),
            mean,
            variance,
            loss);
    loss =
        graph.value(
            new Loss.FeatureAlign(25, 50, true),
            norm.output(Norm.BnAct.ATTENTION),
            positive("other attention", BATCH, 4),
            loss);
    List<Value> wrt = List.of(x, weight, gamma, beta, residual);
    tapeAgreesWithDifferences(loss, wrt);
    agreesWithTheTape(loss, wrt);
  }

  // ---- refusals ----

  @Test
  void aLossThatDoesNotDependOnAVariableIsRefused() {
    Value a = input("a", 1, BATCH, CLASSES);
    Value other = input("other", 1, 3);
    Value loss = graph.value(new Loss.HardCrossEntropy(1, 0), a, labels());
    assertThatThrownBy(() -> Gradients.of(graph, loss, List.of(a, other)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("does not depend");
  }

  @Test
  void secondDerivativesAreRefused() {
    Value x = input("x", 1, BATCH, 5, 5, 3);
    Value weight = input("weight", .3, 4, 3, 3, 3);
    Value logits =
        graph.value(
            new Pooling.GlobalAvgPool(), graph.value(new Convolution.Conv2d(1, 1), x, weight));
    Value y = input("target", 1, BATCH, 4);
    Value loss = graph.value(new Loss.DistillKl(1, 1), logits, y);
    Value gradient = Gradients.of(graph, loss, List.of(x)).getFirst();
    Value again =
        graph.value(
            new Loss.DistillKl(1, 1),
            graph.value(new Pooling.GlobalAvgPool(), gradient),
            input("t", 1, BATCH, 3));
    assertThatThrownBy(() -> Gradients.of(graph, again, List.of(x)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("second derivatives");
  }

  @Test
  void scaledLossesAreRefused() {
    Value a = input("a", 1, BATCH, CLASSES);
    Value loss = graph.value(new Loss.HardCrossEntropy(1, 0), a, labels());
    refused(graph.value(new Elementwise.Scale(2), loss), a, "plain sums");
    refused(
        graph.value(new Elementwise.Add(), graph.value(new Elementwise.Tanh(), loss), loss),
        a,
        "plain sums");
    refused(graph.value(new Op.Reshape(f32(1)), loss), a, "plain sums");
  }

  private void refused(Value loss, Value wrt, String message) {
    assertThatThrownBy(() -> Gradients.of(graph, loss, List.of(wrt)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  /** The second half of the sum would be left out. */
  @Test
  void aLossInTheSumTwiceIsRefused() {
    Value a = input("a", 1, BATCH, CLASSES);
    Value loss = graph.value(new Loss.HardCrossEntropy(1, 0), a, labels());
    refused(graph.value(new Elementwise.Add(), loss, loss), a, "twice");
    Value other = graph.value(new Loss.HardCrossEntropy(2, 1), a, labels());
    refused(
        graph.value(new Elementwise.Add(), loss, graph.value(new Elementwise.Add(), other, loss)),
        a,
        "twice");
  }

  @Test
  void whatIsNotALossIsRefused() {
    Value a = input("a", 1, BATCH, CLASSES);
    Node node = graph.apply(new Loss.HardCrossEntropy(1, 0), a, labels());
    refused(node.output(1), a, "one number");
    refused(graph.value(new Elementwise.Tanh(), input("b", 1, 1)), a, "depend");
  }
}
