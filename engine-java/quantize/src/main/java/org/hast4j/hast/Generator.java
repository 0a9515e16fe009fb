package org.hast4j.hast;

import java.util.LinkedHashMap;
import java.util.Map;
import org.hast4j.failure.RefusedException;
import org.hast4j.forward.ParameterLayout;
import org.hast4j.graph.Convolution;
import org.hast4j.graph.Elementwise;
import org.hast4j.graph.Graph;
import org.hast4j.graph.Node;
import org.hast4j.graph.Norm;
import org.hast4j.graph.Op;
import org.hast4j.graph.Pooling;
import org.hast4j.graph.Storage;
import org.hast4j.graph.TensorType;
import org.hast4j.graph.Value;
import org.hast4j.model.Model;

/**
 * The small conditional generator whose images calibrate activation ranges (algorithm section 3):
 * label embedding times noise, linear to a map of a quarter of the image's height and width, then
 * twice BatchNorm, nearest upsampling and a 3x3 convolution, LeakyReLU .2, a last convolution to
 * the image, tanh and a BatchNorm without affine. Always in training mode; thrown away after
 * calibration. Parameter names are those of the released code.
 */
final class Generator {
  private static final int SHRINKING = 4;
  private static final int WIDE = 128;
  private static final int NARROW = 64;
  // Of the layers that the noise's width decides; with the others they still fit into an array.
  private static final long MAX_WEIGHTS = 1 << 30;
  private static final float SLOPE = .2f;
  private static final float EPSILON = 1e-5f;
  // The released code passes .8 where PyTorch's second argument is epsilon.
  private static final float LARGE_EPSILON = .8f;
  private static final float NO_ACTIVATION = 1;

  private final int latent;
  private final int classes;
  private final int startHeight;
  private final int startWidth;
  private final ParameterLayout layout = new ParameterLayout();
  private final Storage storage;

  /**
   * A generator of images for a network.
   *
   * @throws RefusedException as {@link #check}
   */
  public Generator(int latent, Model model) {
    check(latent, model);
    this.latent = latent;
    classes = model.classes();
    startHeight = model.input().height() / SHRINKING;
    startWidth = model.input().width() / SHRINKING;
    long start = start(model);
    layout.add("label_emb.weight", TensorType.f32(classes, latent));
    layout.add("l1.0.weight", TensorType.f32(start, latent));
    layout.add("l1.0.bias", TensorType.f32(start));
    addNorm("conv_blocks0.0", WIDE);
    addConvolution("conv_blocks1.0", WIDE, WIDE);
    addNorm("conv_blocks1.1", WIDE);
    addConvolution("conv_blocks2.0", WIDE, NARROW);
    addNorm("conv_blocks2.1", NARROW);
    addConvolution("conv_blocks2.3", NARROW, model.input().channels());
    storage = new Storage("generator parameters", layout.bytes());
  }

  /**
   * Refuses a network whose images no generator makes, and noise that is too wide.
   *
   * @throws RefusedException if height or width is not a multiple of 4, or the weights would not
   *     fit into one array
   */
  public static void check(int latent, Model model) {
    if (model.input().height() % SHRINKING != 0 || model.input().width() % SHRINKING != 0) {
      throw new RefusedException(
          "%s takes %dx%d images, the calibration generator makes only multiples of %d: calibrate on the synthetic images (calibration.source = SYNTHETIC)"
              .formatted(model.name(), model.input().height(), model.input().width(), SHRINKING));
    }
    long rows = start(model) + model.classes();
    if (rows * latent > MAX_WEIGHTS) {
      throw new RefusedException(
          "calibration.latent = %d is too wide for %s: at most %d"
              .formatted(latent, model.name(), MAX_WEIGHTS / rows));
    }
  }

  /** Features of the map that the noise becomes. */
  private static long start(Model model) {
    return (long) (model.input().height() / SHRINKING) * (model.input().width() / SHRINKING) * WIDE;
  }

  private void addNorm(String name, long width) {
    layout.add(name + ".weight", TensorType.f32(width));
    layout.add(name + ".bias", TensorType.f32(width));
  }

  private void addConvolution(String name, long inputs, long outputs) {
    layout.add(name + ".weight", TensorType.f32(outputs, 3, 3, inputs));
    layout.add(name + ".bias", TensorType.f32(outputs));
  }

  /**
   * Places of the trained parameters. The rows of l1.0 are in [h / 4, w / 4, 128] order, channels
   * innermost.
   */
  public ParameterLayout layout() {
    return layout;
  }

  public Storage storage() {
    return storage;
  }

  public int latent() {
    return latent;
  }

  public int classes() {
    return classes;
  }

  /** Variables for every parameter, by name. */
  public Map<String, Value> values(Graph graph) {
    Map<String, Value> values = new LinkedHashMap<>();
    layout
        .names()
        .forEach(
            name ->
                values.put(
                    name,
                    graph.variable(storage, layout.get(name).offset(), layout.get(name).type())));
    return values;
  }

  /**
   * Appends the generator to a graph.
   *
   * @param noise [n, latent]
   * @param labels [n]
   * @return images [n, h, w, channels]
   */
  public Value forward(Graph graph, Map<String, Value> parameters, Value noise, Value labels) {
    graph.part("generator");
    long n = noise.size(0);
    Value x =
        graph.value(new Elementwise.Embedding(), parameters.get("label_emb.weight"), noise, labels);
    x =
        graph.value(
            new Convolution.Linear(),
            x,
            parameters.get("l1.0.weight"),
            parameters.get("l1.0.bias"));
    x = graph.value(new Op.Reshape(TensorType.f32(n, startHeight, startWidth, WIDE)), x);
    x = norm(graph, parameters, "conv_blocks0.0", x, EPSILON, NO_ACTIVATION);
    x = graph.value(new Pooling.Upsample(), x);
    x = convolution(graph, parameters, "conv_blocks1.0", x);
    x = norm(graph, parameters, "conv_blocks1.1", x, LARGE_EPSILON, SLOPE);
    x = graph.value(new Pooling.Upsample(), x);
    x = convolution(graph, parameters, "conv_blocks2.0", x);
    x = norm(graph, parameters, "conv_blocks2.1", x, LARGE_EPSILON, SLOPE);
    x = convolution(graph, parameters, "conv_blocks2.3", x);
    x = graph.value(new Elementwise.Tanh(), x);
    Node batch = graph.apply(new Norm.BnStats(), x);
    Norm.BnAct plain = new Norm.BnAct(false, false, 0, NO_ACTIVATION, EPSILON, true);
    return graph.value(plain, x, batch.output(0), batch.output(1));
  }

  private static Value norm(
      Graph graph,
      Map<String, Value> parameters,
      String name,
      Value x,
      float epsilon,
      float slope) {
    Node batch = graph.apply(new Norm.BnStats(), x);
    return graph.value(
        new Norm.BnAct(true, false, 0, slope, epsilon, true),
        x,
        batch.output(0),
        batch.output(1),
        parameters.get(name + ".weight"),
        parameters.get(name + ".bias"));
  }

  private static Value convolution(
      Graph graph, Map<String, Value> parameters, String name, Value x) {
    return graph.value(
        new Convolution.Conv2d(1, 1),
        x,
        parameters.get(name + ".weight"),
        parameters.get(name + ".bias"));
  }
}
