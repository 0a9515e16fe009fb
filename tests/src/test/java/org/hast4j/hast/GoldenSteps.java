package org.hast4j.hast;

import static org.assertj.core.api.Assertions.assertThat;
import static org.hast4j.graph.TensorType.f32;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.hast4j.device.driver.Devices;
import org.hast4j.device.driver.Platform;
import org.hast4j.exec.Memory;
import org.hast4j.exec.Program;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.forward.Parameters;
import org.hast4j.forward.QuantizationState;
import org.hast4j.golden.Golden;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Bits;
import org.hast4j.model.Normalization;
import org.hast4j.model.Operator;
import org.hast4j.model.Scheme;
import org.hast4j.nn.Network;
import org.hast4j.oracle.Tensor;
import org.hast4j.zoo.Given;
import org.hast4j.zoo.NetworkReader;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The programs of the method, step by step, against steps of the original implementation. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class GoldenSteps {
  private static final float[] ZERO = {0, 0, 0};
  private static final float[] ONE = {1, 1, 1};

  @RegisterExtension final Devices devices;

  private final Network network =
      NetworkReader.read(
              Golden.path("small_resnet20"),
              Given.of(Optional.empty(), Optional.of(new Normalization(ZERO, ONE))))
          .network();
  private Memory memory;

  GoldenSteps(Platform platform) {
    devices = new Devices(platform);
  }

  @BeforeEach
  void open() {
    memory = new Memory(devices.open());
  }

  @AfterEach
  void close() {
    memory.close();
  }

  private Parameters uploaded(String owner) {
    Parameters parameters = new Parameters(network.model(), owner);
    parameters.upload(memory, network);
    return parameters;
  }

  private Tensor download(Storage storage, TensorType type) {
    return Tensor.floats(
        memory.floats(storage, Math.toIntExact(type.shape().elements())), type.shape().sizes());
  }

  /** One index of the outermost dimension. */
  private static Tensor part(Tensor tensor, int index) {
    long[] sizes = tensor.type().shape().sizes();
    long[] inner = Arrays.copyOfRange(sizes, 1, sizes.length);
    int count = tensor.count() / tensor.size(0);
    return new Tensor(
        new TensorType(tensor.type().dtype(), org.hast4j.tensor.Shape.of(inner)),
        Arrays.copyOfRange(tensor.values(), index * count, (index + 1) * count));
  }

  private static void near(String what, double actual, double expected, double tolerance) {
    assertThat(Math.abs(actual - expected) <= tolerance * Math.abs(expected))
        .as("%s is %s, expected %s", what, actual, expected)
        .isTrue();
  }

  // ---- synthesis ----

  @Test
  void synthesis() {
    Golden golden = Golden.open("synth_steps");
    Tensor labels = golden.tensor("labels");
    Tensor x0 = golden.tensor("x0");
    Recipe.Synthesis recipe =
        Recipe.read(
                "released",
                Map.of(
                    "synthesis.images", "2", "synthesis.batch", "2", "synthesis.iterations", "3"))
            .synthesis();
    try (Synthesis synthesis =
        new Synthesis(memory, uploaded("teacher"), Units.own(network), recipe, 1)) {
      synthesis.begin(0);
      Storage pixels = synthesis.state().get(0);
      Storage moment = synthesis.state().get(2);
      memory.buffer(pixels).upload(0, x0.floats());
      memory
          .buffer(synthesis.state().get(1))
          .upload(0, new int[] {(int) labels.values()[0], (int) labels.values()[1]});
      Tensor before = Tensor.zeros(x0.type());
      for (int step = 0; step < 3; step++) {
        near("learning rate", memory.floats(synthesis.state().get(4))[0], .5, 1e-7);
        synthesis.iterate(0, step);
        Tensor average = download(moment, x0.type());
        // The first moment holds the gradient: m = .9 m + .1 g.
        Tensor last = before;
        Tensor gradient = Tensor.zeros(x0.type());
        Arrays.setAll(gradient.values(), i -> (average.values()[i] - .9 * last.values()[i]) / .1);
        before = average;
        golden.matches("f64.grad" + step, gradient, 1e-4);
        golden.matches("f32.grad" + step, gradient, 1e-4);
        golden.matches("f64.x" + (step + 1), download(pixels, x0.type()), 1e-3);
        double[] row = part(golden.tensor("f64.lr_dacc_mean_var_target"), step).values();
        Synthesis.Losses losses = synthesis.losses();
        near("hard-sample loss", losses.hardSample(), row[4], 1e-4);
        near("statistic loss", losses.total() - losses.hardSample(), row[2] + row[3], 1e-4);
      }
    }
  }

  // ---- fine-tuning ----

  @ParameterizedTest
  @CsvSource({"finetune_steps_w4a4, 4", "finetune_steps_w3a3, 3"})
  void fineTuning(String file, int bits) {
    Golden golden = Golden.open(file);
    Tensor images = golden.batches("images");
    Recipe.FineTuning recipe =
        Recipe.read("released", Map.of("fine-tuning.batch", "4")).fineTuning();
    Parameters student = uploaded("student");
    Parameters teacher = uploaded("teacher");
    QuantizationState quantization =
        QuantizationState.of(network.model(), new Scheme(new Bits(bits, bits)));
    float[] ranges = new float[2 * network.model().names(Operator.Activation.class).size()];
    for (int i = 0; i < ranges.length; i++) {
      String end = i % 2 == 0 ? "act_x_min" : "act_x_max";
      ranges[i] = (float) golden.tensor(end).values()[i / 2];
    }
    memory.buffer(quantization.ranges()).upload(0, ranges);
    Storage batch = Storage.of("batch", part(images, 0).type());
    try (FineTuning tuning =
        new FineTuning(
            memory,
            Units.own(network),
            teacher,
            student,
            quantization,
            recipe,
            1,
            (graph, key) -> graph.variable(batch, part(images, 0).type()))) {
      for (int step = 0; step < 2; step++) {
        String it = "f64.it" + step + ".";
        Tensor x = part(images, step);
        logits(golden, it + "out_teacher", Evaluation.of(memory, teacher), x, 1e-5);
        logits(
            golden, it + "out_student", Evaluation.of(memory, student, quantization), x, QUANTISED);
        memory.buffer(batch).upload(0, x.floats());
        tuning.iterate(step);
        FineTuning.Losses losses = tuning.losses();
        near("distillation", losses.cleanDistillation(), golden.scalar(it + "loss_KL"), QUANTISED);
        near(
            "alignment",
            losses.clean() - losses.cleanDistillation(),
            golden.scalar(it + "loss_FA"),
            QUANTISED);
        near(
            "promoted distillation",
            losses.promotedDistillation(),
            golden.scalar(it + "pert.loss_KL"),
            QUANTISED);
        near(
            "promoted alignment",
            losses.promoted() - losses.promotedDistillation(),
            golden.scalar(it + "pert.loss_FA"),
            QUANTISED);
        if (step == 0) {
          gradients(golden, it, tuning, student.trained());
        }
        moved(golden, it, student);
      }
    }
    memory.free(batch);
  }

  // A rounding that steps over the edge of one quantisation step, anywhere in the network, moves
  // everything after it.
  private static final double QUANTISED = 1e-4;

  private void logits(Golden golden, String name, Evaluation of, Tensor images, double tolerance) {
    try (Evaluation evaluation = of) {
      golden.matches(name, Tensor.floats(evaluation.logits(images.floats(), 4), 4, 10), tolerance);
    }
  }

  private void gradients(Golden golden, String it, FineTuning tuning, ParameterLayout layout) {
    float[] clean = memory.floats(tuning.cleanGradients);
    float[] promoted = memory.floats(tuning.promotedGradients);
    for (String name : layout.names()) {
      ParameterLayout.Entry slot = layout.get(name);
      int start = Math.toIntExact(slot.offset() / Float.BYTES);
      Tensor sum = Tensor.zeros(slot.type());
      Arrays.setAll(sum.values(), i -> (double) clean[start + i] + promoted[start + i]);
      golden.matches(it + "grad." + original(name), sum, 10 * QUANTISED);
    }
  }

  /** How far the parameters have come; as such they would agree even if they had not moved. */
  private void moved(Golden golden, String it, Parameters student) {
    Map<String, float[]> now = student.download(memory);
    for (String name : student.trained().names()) {
      Tensor expected = golden.tensor(it + "param." + original(name));
      float[] start = network.weights().get(name);
      float[] end = now.get(name);
      Tensor step = Tensor.zeros(expected.type());
      Arrays.setAll(step.values(), i -> expected.values()[i] - start[i]);
      Tensor ours = Tensor.zeros(expected.type());
      Arrays.setAll(ours.values(), i -> (double) end[i] - start[i]);
      double largest = Arrays.stream(step.values()).map(Math::abs).max().orElseThrow();
      double size = Arrays.stream(expected.values()).map(Math::abs).max().orElseThrow();
      // Single precision holds the step only to the last bit of the parameter.
      double resolution = size * 2e-7 / largest;
      golden.matches(name, step, ours, 10 * QUANTISED + resolution);
    }
  }

  /** The name pytorchcv gives a parameter. */
  private static String original(String name) {
    return name.replaceFirst("^conv1\\.", "features.init_block.conv.")
        .replaceFirst("^bn1\\.", "features.init_block.bn.")
        .replaceFirst("^fc\\.", "output.")
        .replaceFirst("^layer(\\d)\\.0\\.", "features.stage$1.unit1.")
        .replaceFirst("^layer(\\d)\\.1\\.", "features.stage$1.unit2.")
        .replaceFirst("^layer(\\d)\\.2\\.", "features.stage$1.unit3.")
        .replaceFirst("(unit\\d)\\.conv(\\d)\\.", "$1.body.conv$2.conv.")
        .replaceFirst("(unit\\d)\\.bn(\\d)\\.", "$1.body.conv$2.bn.")
        .replaceFirst("\\.downsample\\.0\\.", ".identity_conv.conv.")
        .replaceFirst("\\.downsample\\.1\\.", ".identity_conv.bn.");
  }

  // ---- calibration ----

  // Adam makes full steps even of gradients that are nothing but rounding, so from the second step
  // on two orders of sums, or multiplications and additions fused or not, part. They may do so by a
  // few times what the original's single precision is away from its double precision.
  private static final double SCATTERS = 3;

  @Test
  void calibration() {
    Golden golden = Golden.open("warmup_steps");
    Recipe.Calibration recipe =
        Recipe.read("released", Map.of("calibration.batch", "16", "calibration.latent", "4"))
            .calibration();
    Generator generator = new Generator(4, network.model());
    GeneratorTraining training = new GeneratorTraining(generator, recipe);
    Parameters teacher = uploaded("teacher");
    QuantizationState quantization =
        QuantizationState.of(network.model(), new Scheme(new Bits(4, 4)));
    quantization.resetRanges(memory);
    Storage noise = Storage.of("noise", f32(16, 4));
    Storage labels = Storage.of("labels", TensorType.i32(16));
    Storage images = Storage.of("images", f32(16, 32, 32, 3));
    training.begin(memory, weights(golden, generator));
    Graph graph = new Graph();
    Value made =
        training.append(
            graph,
            teacher,
            graph.variable(noise, f32(16, 4)),
            graph.variable(labels, TensorType.i32(16)),
            new StatisticsLoss(
                memory, Units.own(network), "calibration", recipe.statisticsWeight()));
    graph.keep(made, images);
    Calibration.append(graph, uploaded("student"), quantization, made, recipe);
    Tensor before = Tensor.zeros(Parameters.vector(generator.layout()));
    try (Program program = Program.compile("calibration", graph, memory)) {
      for (int step = 0; step < 3; step++) {
        memory.buffer(noise).upload(0, part(golden.tensor("z"), step).floats());
        memory.buffer(labels).upload(0, integers(part(golden.tensor("labels"), step)));
        program.run();
        if (step == 0) {
          Tensor first = download(images, f32(2, 32, 32, 3));
          golden.matches("f64.images0", first, 1e-4);
        }
        sums(golden.tensor("f64.img_sum" + step), memory.floats(images));
        double loss = golden.scalar("f64.loss_G" + step);
        double scatter = SCATTERS * golden.scatter("loss_G" + step);
        near("loss", training.loss(memory), loss, 1e-4 + scatter / loss);
        Tensor ranges = download(quantization.ranges(), f32(19, 2));
        golden.matches("f64.act_min_max" + step, ranges, 1e-4);
        Tensor average = download(training.state().get(1), before.type());
        Tensor last = before;
        Tensor gradient = Tensor.zeros(before.type());
        // m = .5 m + .5 g
        Arrays.setAll(gradient.values(), i -> (average.values()[i] - .5 * last.values()[i]) / .5);
        before = average;
        generatorGradients(golden, "it" + step + ".", generator, gradient);
      }
      generatorParameters(golden, generator);
    }
    training.free(memory);
  }

  private static int[] integers(Tensor tensor) {
    return Arrays.stream(tensor.values()).mapToInt(value -> (int) value).toArray();
  }

  /** Sum, sum of squares, least and greatest of all images. */
  private static void sums(Tensor expected, float[] images) {
    double sum = 0;
    double squares = 0;
    double least = Double.POSITIVE_INFINITY;
    double greatest = Double.NEGATIVE_INFINITY;
    for (float value : images) {
      sum += value;
      squares += (double) value * value;
      least = Math.min(least, value);
      greatest = Math.max(greatest, value);
    }
    // The last normalisation makes the sum nearly 0: a share of it says nothing.
    assertThat(Math.abs(sum - expected.values()[0]) <= 1).as("sum %s", sum).isTrue();
    near("sum of squares", squares, expected.values()[1], 1e-4);
    near("least", least, expected.values()[2], 1e-3);
    near("greatest", greatest, expected.values()[3], 1e-3);
  }

  /**
   * The generator's weights, the rows of its linear layer from [128, 8, 8] to [8, 8, 128] order.
   */
  private static Map<String, float[]> weights(Golden golden, Generator generator) {
    Map<String, float[]> weights = new LinkedHashMap<>();
    for (String name : generator.layout().names()) {
      float[] values = golden.tensor("G0." + name).floats();
      if (name.startsWith("l1.0.")) {
        int columns = values.length / 8192;
        float[] ordered = new float[values.length];
        for (int row = 0; row < 8192; row++) {
          System.arraycopy(values, row * columns, ordered, innermost(row) * columns, columns);
        }
        values = ordered;
      }
      weights.put(name, values);
    }
    return weights;
  }

  /** From a row in [128, 8, 8] order to the same row in [8, 8, 128]. */
  private static int innermost(int row) {
    return row % 64 * 128 + row / 64;
  }

  private static void generatorGradients(
      Golden golden, String it, Generator generator, Tensor gradient) {
    double scale = 0;
    for (String name : generator.layout().names()) {
      scale = Math.max(scale, golden.scalar("f64." + it + "gradnorm." + name));
    }
    for (String name : generator.layout().names()) {
      double[] values = slot(generator, name, gradient);
      double norm = Math.sqrt(Arrays.stream(values).map(g -> g * g).sum());
      double expected = golden.scalar("f64." + it + "gradnorm." + name);
      // Biases before a BatchNorm have no gradient but rounding.
      double tolerance = 1e-4 * expected + 1e-6 * scale;
      double scatter = SCATTERS * golden.scatter(it + "gradnorm." + name);
      assertThat(Math.abs(norm - expected) <= tolerance + scatter)
          .as("%s gradient of %s has norm %s, expected %s", it, name, norm, expected)
          .isTrue();
      // Named after iteration 0, they are the gradients of the last: the original kept a view that
      // later passes filled.
      String first = "it0.grad16." + name;
      if (it.startsWith("it2")) {
        sixteen(
            golden.tensor("f64." + first),
            values,
            generator.layout().get(name),
            name,
            tolerance + SCATTERS * golden.scatter(first));
      }
    }
  }

  private void generatorParameters(Golden golden, Generator generator) {
    Tensor all = download(generator.storage(), Parameters.vector(generator.layout()));
    for (String name : generator.layout().names()) {
      String first = "it2.param16." + name;
      boolean idle = name.matches("conv_blocks[12]\\.0\\.bias|l1\\.0\\.bias");
      // Adam makes full steps even of gradients that are nothing but rounding.
      if (golden.has("f64." + first) && !idle) {
        sixteen(
            golden.tensor("f64." + first),
            slot(generator, name, all),
            generator.layout().get(name),
            name,
            1e-4 + SCATTERS * golden.scatter(first));
      }
    }
  }

  private static double[] slot(Generator generator, String name, Tensor vector) {
    ParameterLayout.Entry slot = generator.layout().get(name);
    int start = Math.toIntExact(slot.offset() / Float.BYTES);
    return Arrays.copyOfRange(
        vector.values(), start, start + Math.toIntExact(slot.type().shape().elements()));
  }

  /** Compares the first values in PyTorch's order. */
  private static void sixteen(
      Tensor expected, double[] values, ParameterLayout.Entry slot, String name, double tolerance) {
    List<Integer> sizes =
        Arrays.stream(slot.type().shape().sizes()).mapToObj(Math::toIntExact).toList();
    for (int i = 0; i < Math.min(16, values.length); i++) {
      int index = i;
      if (sizes.size() == 4) {
        // [o, h, w, i] from [o, i, h, w]
        int area = sizes.get(1) * sizes.get(2);
        int inputs = sizes.get(3);
        index = i / (area * inputs) * area * inputs + i % area * inputs + i / area % inputs;
      } else if (name.startsWith("l1.0.")) {
        int columns = sizes.size() == 2 ? sizes.get(1) : 1;
        index = innermost(i / columns) * columns + i % columns;
      }
      assertThat(Math.abs(values[index] - expected.values()[i]) <= tolerance)
          .as("%s[%d] is %s, expected %s", name, i, values[index], expected.values()[i])
          .isTrue();
    }
  }
}
