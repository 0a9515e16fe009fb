package org.hast4j.model;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.hast4j.failure.RefusedException;
import org.hast4j.io.Json;

/**
 * How a network is quantized: where activations are, and the bits of every layer with weights and
 * of every activation quantizer.
 *
 * @param bits of every layer that is not named
 * @param layers bits of the layers that are, by name
 */
public record Scheme(Bits bits, Map<String, Bits> layers, QuantizationPoints points) {
  /** Pixels have so many. */
  private static final int IMAGE_BITS = 8;

  /** Stands for the first layer with weights. */
  public static final String FIRST = "first";

  /** Stands for the last layer with weights. */
  public static final String LAST = "last";

  public Scheme {
    // In an order of its own, so that equal schemes read alike.
    layers = Collections.unmodifiableMap(new TreeMap<>(layers));
  }

  /** The same for all layers, at the paper's points. */
  public Scheme(Bits bits) {
    this(bits, Map.of(), QuantizationPoints.PAPER);
  }

  /**
   * A scheme at the paper's points as people ask for it: names of a model's layers, or {@link
   * #FIRST} and {@link #LAST}.
   *
   * @throws RefusedException if there is no such layer, or it has nothing to quantize, or is named
   *     twice
   */
  public static Scheme of(Model model, Bits bits, Map<String, Bits> asked) {
    List<String> weighted = model.weighted();
    Map<String, Bits> layers = new LinkedHashMap<>();
    asked.forEach(
        (name, own) -> {
          boolean word = model.layer(name).isEmpty() && !weighted.isEmpty();
          String layer =
              word && name.equals(FIRST)
                  ? weighted.getFirst()
                  : word && name.equals(LAST) ? weighted.getLast() : name;
          if (layers.put(layer, own) != null) {
            throw new RefusedException("layer %s is given bits twice".formatted(layer));
          }
        });
    Scheme scheme = new Scheme(bits, layers, QuantizationPoints.PAPER);
    scheme.check(model);
    return scheme;
  }

  /** The same bits at other points. */
  public Scheme at(QuantizationPoints others) {
    return new Scheme(bits, layers, others);
  }

  /**
   * Checks the names.
   *
   * @throws RefusedException if a model has no such layer, or it has nothing to quantize
   */
  public void check(Model model) {
    List<String> quantized = new ArrayList<>(model.weighted());
    quantized.addAll(quantizers(model));
    for (String name : layers.keySet()) {
      if (!quantized.contains(name)) {
        throw new RefusedException(
            "%s has no layer %s to give bits to; the nearest names are %s"
                .formatted(
                    model.name(),
                    Layer.quoted(name),
                    String.join(", ", NearestNames.of(name, quantized))));
      }
    }
  }

  /**
   * Names of the layers with an activation quantizer, in order: activations, whose output it
   * quantizes, or convolutions and linear layers, whose input.
   */
  public List<String> quantizers(Model model) {
    return switch (points) {
      case PAPER -> model.activations();
      case INPUTS -> model.weighted();
    };
  }

  /**
   * Names of the convolutions and linear layers that read what no quantizer gives: the image, a sum
   * or a mean of quantized values. In order; none at points {@code inputs}.
   */
  public List<String> unquantized(Model model) {
    if (points == QuantizationPoints.INPUTS) {
      return List.of();
    }
    Set<String> quantized = new HashSet<>(quantizers(model));
    for (Layer layer : model.layers()) {
      if (passesLevels(layer.op()) && quantized.containsAll(layer.inputs())) {
        quantized.add(layer.name());
      }
    }
    return model.weighted().stream()
        .filter(name -> !quantized.contains(model.layer(name).orElseThrow().input()))
        .toList();
  }

  /** Whether a layer gives values that it reads, and zeros. */
  private static boolean passesLevels(Operator op) {
    return switch (op) {
      case Operator.Pool pool -> pool.kind() == Operator.Pool.Kind.MAX;
      case Operator.Concat _,
          Operator.Flatten _,
          Operator.ChannelPad _,
          Operator.ChannelShuffle _,
          Operator.Slice _ ->
          true;
      case Operator.Convolution _,
          Operator.BatchNorm _,
          Operator.Activation _,
          Operator.PRelu _,
          Operator.Add _,
          Operator.Mul _,
          Operator.GlobalAveragePool _,
          Operator.Linear _ ->
          false;
    };
  }

  /** Bits of the weights of a convolution or a linear layer. */
  public int weightBits(String layer) {
    return layers.getOrDefault(layer, bits).weights();
  }

  /**
   * Bits of the activation quantizer of a layer: its own if it is named; else the most that is
   * asked for by a named layer which reads it, since a layer's activations are what it reads; else
   * 8 for the image, and the usual ones.
   */
  public int activationBits(Model model, String quantizer) {
    if (layers.containsKey(quantizer)) {
      return layers.get(quantizer).activations();
    }
    if (points == QuantizationPoints.INPUTS) {
      boolean image = model.layer(quantizer).orElseThrow().input().equals(model.input().name());
      return image ? IMAGE_BITS : bits.activations();
    }
    int most = 0;
    for (String name : layers.keySet()) {
      if (reads(model, name, quantizer)) {
        most = Math.max(most, layers.get(name).activations());
      }
    }
    return most > 0 ? most : bits.activations();
  }

  /** Whether nothing but pooling and the like lies between. */
  private static boolean reads(Model model, String reader, String quantizer) {
    String read = model.layer(reader).orElseThrow().input();
    while (!read.equals(quantizer)) {
      Layer between = model.layer(read).orElse(null);
      if (between == null
          || !(between.op() instanceof Operator.Pool
              || between.op() instanceof Operator.GlobalAveragePool
              || between.op() instanceof Operator.Flatten)) {
        return false;
      }
      read = between.input();
    }
    return true;
  }

  /**
   * Reads what {@link #json} wrote.
   *
   * @param place what messages call the text
   * @throws RefusedException saying where it is wrong
   */
  public static Scheme parse(String text, String place) {
    return JsonFields.parse(text, place).as(Scheme::read);
  }

  private static Scheme read(JsonFields fields) {
    return new Scheme(
        bits(fields),
        fields.has("layers") ? fields.fields("layers").as(Scheme::layers) : Map.of(),
        fields.has("points")
            ? QuantizationPoints.parse(fields.text("points"))
            : QuantizationPoints.PAPER);
  }

  private static Map<String, Bits> layers(JsonFields fields) {
    Map<String, Bits> layers = new LinkedHashMap<>();
    fields.all().forEach((name, own) -> layers.put(name, own.as(Scheme::bits)));
    return layers;
  }

  private static Bits bits(JsonFields fields) {
    return new Bits(fields.integer("weight_bits"), fields.integer("activation_bits"));
  }

  /** The JSON that files hold. */
  public String json() {
    Map<String, Object> json = json(bits);
    if (points != QuantizationPoints.PAPER) {
      json.put("points", points.toString());
    }
    if (!layers.isEmpty()) {
      Map<String, Object> named = new LinkedHashMap<>();
      layers.forEach((name, own) -> named.put(name, json(own)));
      json.put("layers", named);
    }
    return Json.text(json, false);
  }

  private static Map<String, Object> json(Bits bits) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("weight_bits", bits.weights());
    json.put("activation_bits", bits.activations());
    return json;
  }

  /** Bits of the named layers as texts, W8A8. */
  public Map<String, String> named() {
    Map<String, String> named = new LinkedHashMap<>();
    layers.forEach((name, own) -> named.put(name, own.toString()));
    return named;
  }

  @Override
  public String toString() {
    return bits
        + (points == QuantizationPoints.PAPER ? "" : " at " + points)
        + layers.entrySet().stream()
            .map(entry -> ", " + entry.getKey() + " " + entry.getValue())
            .collect(Collectors.joining());
  }
}
