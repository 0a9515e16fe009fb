package org.hast4j.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.hast4j.hast.Images;
import org.hast4j.hast.Job;
import org.hast4j.hast.Recipe;
import org.hast4j.hast.Workload;
import org.hast4j.model.Bits;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;
import org.hast4j.model.Scheme;
import org.hast4j.model.Window;
import org.hast4j.nn.AlignmentTaps;
import org.hast4j.nn.BatchNorms;
import org.hast4j.nn.Network;
import org.hast4j.tensor.ActivationFunction;
import org.hast4j.tensor.Shape;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code hast inspect}. */
@Command(
    name = "inspect",
    customSynopsis = "hast inspect NETWORK [OPTION]..",
    sortOptions = false,
    parameterListHeading = "%n",
    optionListHeading = "%n",
    description =
        "Shows what a network's file holds and what is assumed of it, and what quantising it would"
            + " take, without running anything.")
final class InspectCommand implements Runnable {
  @Parameters(paramLabel = "NETWORK", description = "A file of a network, as quantize takes it.")
  private Path file;

  @Option(
      names = "--bits",
      paramLabel = "W4A4",
      defaultValue = "W4A4",
      converter = BitsConverter.class,
      description = "Bits to show quantisation points for; ${DEFAULT-VALUE} by default.")
  private Bits bits;

  @Mixin private LayerBitsOptions layerBits;
  @Mixin private RecipeOptions recipe;
  @Mixin private ModelOptions model;
  @Mixin private PreprocessingOptions preprocessing;
  @Mixin private Reporter reporter;

  @Override
  public void run() {
    NetworkFile source = NetworkFile.read(file, model.given(preprocessing));
    Network network = source.network();
    Scheme scheme =
        source
            .quantized()
            .map(q -> q.scheme())
            .orElseGet(() -> layerBits.scheme(network.model(), bits));
    Recipe chosen = recipe.read(network.model().input());
    Job job = source.job(scheme, chosen, new Images.Synthesized(), 1);
    Workload workload = Workload.of(job);
    print(source, scheme, workload);
    reporter.result(json(source, scheme, workload));
  }

  private void print(NetworkFile source, Scheme scheme, Workload workload) {
    Network network = source.network();
    Model model = network.model();
    reporter.line(
        "%s: %s%s"
            .formatted(
                file, model.name(), source.quantized().map(q -> ", " + q.scheme()).orElse("")));
    source.assumptions().forEach(line -> reporter.line("assumed: " + line));
    Model.Input input = model.input();
    reporter.line(
        "input %dx%dx%d, %s; %d classes%s"
            .formatted(
                input.height(),
                input.width(),
                input.channels(),
                network.normalization(),
                model.classes(),
                network.classNames().isEmpty() ? "" : ", named"));
    reporter.line(
        "%d parameters, %.1f million multiply-adds an image"
            .formatted(network.parameterCount(), model.multiplyAdds() / 1e6));
    reporter.line("");
    reporter.line("%-40s %-56s %-18s %10s".formatted("layer", "operator", "gives", "parameters"));
    Map<String, Long> parameters = parameters(model);
    for (Layer layer : model.layers()) {
      reporter.line(
          "%-40s %-56s %-18s %10s"
              .formatted(
                  layer.name(),
                  text(layer.op()),
                  model.shape(layer.name()),
                  parameters.containsKey(layer.name()) ? parameters.get(layer.name()) : "")
              .stripTrailing());
    }
    reporter.line("");
    list("quantised activations", scheme.quantizers(model));
    list("inputs that are not quantised", scheme.unquantized(model));
    list("features are aligned at", AlignmentTaps.of(model));
    List<String> bare = BatchNorms.unnormalized(model);
    if (!bare.isEmpty()) {
      list("convolutions without a BatchNorm", bare);
    }
    reporter.line("");
    reporter.line(
        BatchNorms.any(model)
            ? "quantising it by this recipe takes about " + workload
            : "no convolution feeds a BatchNorm: this network evaluates, but is not quantised");
  }

  private static String text(Operator op) {
    return switch (op) {
      case Operator.Convolution conv ->
          "%s %s%s%s, %d to %d"
              .formatted(
                  conv.isDepthwise() ? "depthwise" : "convolution",
                  text(conv.window()),
                  conv.groups() > 1 && !conv.isDepthwise() ? ", groups " + conv.groups() : "",
                  conv.bias() ? ", bias" : "",
                  conv.inputs(),
                  conv.outputs());
      case Operator.BatchNorm norm -> "batch norm, epsilon " + norm.epsilon();
      case Operator.Activation activation -> text(activation.function());
      case Operator.PRelu _ -> "prelu";
      case Operator.Add _ -> "add";
      case Operator.Mul _ -> "multiply";
      case Operator.Concat _ -> "concatenate";
      case Operator.Pool pool ->
          pool.kind().name().toLowerCase(Locale.ROOT).replace('_', ' ')
              + " pool "
              + text(pool.window());
      case Operator.GlobalAveragePool _ -> "global average pool";
      case Operator.Linear linear ->
          "linear%s, %d to %d"
              .formatted(linear.bias() ? ", bias" : "", linear.inputs(), linear.outputs());
      case Operator.Flatten _ -> "flatten";
      case Operator.ChannelPad pad ->
          "channels padded to %d, stride %d".formatted(pad.channels(), pad.stride());
      case Operator.ChannelShuffle shuffle -> "channel shuffle, groups " + shuffle.groups();
      case Operator.Slice slice -> "channels %d to %d".formatted(slice.begin(), slice.end() - 1);
    };
  }

  private static String text(Window window) {
    Window.Size none = new Window.Size(1, 1);
    return window.kernel()
        + (window.strides().equals(none) ? "" : ", stride " + window.strides())
        + ", padding "
        + window.padding()
        + (window.dilations().equals(none) ? "" : ", dilation " + window.dilations());
  }

  private static String text(ActivationFunction function) {
    return function.kind().name().toLowerCase(Locale.ROOT)
        + (function.slope() == 0 ? "" : ", slope " + function.slope())
        + (Float.isFinite(function.ceiling()) ? ", up to " + function.ceiling() : "");
  }

  private void list(String what, List<String> names) {
    reporter.line(
        "%s (%d): %s"
            .formatted(what, names.size(), names.isEmpty() ? "none" : String.join(", ", names)));
  }

  /** Trained values of each layer that has some. */
  private static Map<String, Long> parameters(Model model) {
    Map<String, Long> counts = new LinkedHashMap<>();
    for (Map.Entry<String, Shape> entry : model.parameters().entrySet()) {
      String layer = entry.getKey().substring(0, entry.getKey().lastIndexOf('.'));
      counts.merge(layer, entry.getValue().elements(), Long::sum);
    }
    return counts;
  }

  private Map<String, Object> json(NetworkFile source, Scheme scheme, Workload workload) {
    Network network = source.network();
    Model model = network.model();
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("file", file.toString());
    json.put("sha256", source.sha256());
    json.put("topology", model.name());
    json.put("assumptions", source.assumptions());
    json.put(
        "input", List.of(model.input().height(), model.input().width(), model.input().channels()));
    json.put("classes", model.classes());
    json.put("parameters", network.parameterCount());
    json.put("multiply_adds", model.multiplyAdds());
    List<Object> layers = new ArrayList<>();
    Map<String, Long> parameters = parameters(model);
    for (Layer layer : model.layers()) {
      Map<String, Object> object = new LinkedHashMap<>();
      object.put("name", layer.name());
      object.put("operator", layer.op().toString());
      object.put("inputs", layer.inputs());
      object.put("shape", model.shape(layer.name()).toString());
      object.put("parameters", parameters.getOrDefault(layer.name(), 0L));
      layers.add(object);
    }
    json.put("layers", layers);
    QuantizationRun.put(json, scheme);
    json.put("quantised_activations", scheme.quantizers(model));
    json.put("unquantised_inputs", scheme.unquantized(model));
    json.put("alignment_taps", AlignmentTaps.of(model));
    json.put("without_batch_norm", BatchNorms.unnormalized(model));
    json.put("quantisable", BatchNorms.any(model));
    json.put("operations", workload.operations());
    json.put("memory_bytes", workload.bytes());
    return json;
  }
}
