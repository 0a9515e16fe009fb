package org.hast4j.model;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.hast4j.failure.RefusedException;
import org.hast4j.tensor.ActivationFunction;

/** Operators as fields of a layer's JSON object: what a field means, and what it is if missing. */
final class OperatorJson {
  private static final String KNOWN =
      "convolution, batch_norm, activation, prelu, add, mul, concat, pool, global_average_pool,"
          + " linear, flatten, channel_pad, channel_shuffle, slice";

  private OperatorJson() {}

  static Operator read(JsonFields fields) {
    String op = fields.text("op");
    return switch (op) {
      case "convolution" ->
          new Operator.Convolution(
              fields.integer("in_channels"),
              fields.integer("out_channels"),
              window(fields),
              fields.integer("groups", 1),
              fields.flag("bias", false));
      case "batch_norm" ->
          new Operator.BatchNorm(fields.integer("channels"), fields.number("epsilon"));
      case "activation" -> new Operator.Activation(function(fields));
      case "prelu" -> new Operator.PRelu(fields.integer("channels"));
      case "add" -> new Operator.Add();
      case "mul" -> new Operator.Mul();
      case "concat" -> new Operator.Concat();
      case "pool" -> new Operator.Pool(kind(fields), window(fields));
      case "global_average_pool" -> new Operator.GlobalAveragePool();
      case "linear" ->
          new Operator.Linear(
              fields.integer("in_features"),
              fields.integer("out_features"),
              fields.flag("bias", true));
      case "flatten" -> new Operator.Flatten();
      case "channel_pad" ->
          new Operator.ChannelPad(fields.integer("stride"), fields.integer("channels"));
      case "channel_shuffle" -> new Operator.ChannelShuffle(fields.integer("groups"));
      case "slice" -> new Operator.Slice(fields.integer("begin"), fields.integer("end"));
      default ->
          throw new RefusedException(
              "unknown op %s; known are %s".formatted(Layer.quoted(op), KNOWN));
    };
  }

  private static ActivationFunction function(JsonFields fields) {
    String function = fields.text("function");
    ActivationFunction.Kind kind =
        Arrays.stream(ActivationFunction.Kind.values())
            .filter(known -> name(known).equals(function))
            .findFirst()
            .orElseThrow(
                () ->
                    new RefusedException(
                        "unknown function %s; known are %s (ReLU6 is a relu of \"ceiling\": 6, LeakyReLU one of \"slope\": 0.01)"
                            .formatted(
                                Layer.quoted(function),
                                Arrays.stream(ActivationFunction.Kind.values())
                                    .map(OperatorJson::name)
                                    .collect(Collectors.joining(", ")))));
    float slope = fields.has("slope") ? fields.number("slope") : 0;
    float ceiling = fields.has("ceiling") ? fields.number("ceiling") : Float.POSITIVE_INFINITY;
    try {
      return new ActivationFunction(kind, slope, ceiling);
    } catch (IllegalArgumentException e) {
      throw new RefusedException(e.getMessage(), e);
    }
  }

  private static String name(Enum<?> constant) {
    return constant.name().toLowerCase(Locale.ROOT);
  }

  private static Operator.Pool.Kind kind(JsonFields fields) {
    String kind = fields.text("kind");
    return Arrays.stream(Operator.Pool.Kind.values())
        .filter(known -> name(known).equals(kind))
        .findFirst()
        .orElseThrow(
            () ->
                new RefusedException(
                    "unknown kind %s; known are max, average and average_unpadded"
                        .formatted(Layer.quoted(kind))));
  }

  private static Window window(JsonFields fields) {
    int[] padding = fields.integers("padding", 4, Optional.of(0));
    return new Window(
        size(fields.integers("kernel", 2, Optional.empty())),
        size(fields.integers("stride", 2, Optional.of(1))),
        new Window.Padding(padding[0], padding[1], padding[2], padding[3]),
        size(fields.integers("dilation", 2, Optional.of(1))));
  }

  private static Window.Size size(int[] sizes) {
    return new Window.Size(sizes[0], sizes[1]);
  }

  /** The other way round; what has its usual value is left out. */
  static void write(Map<String, Object> json, Operator op) {
    switch (op) {
      case Operator.Convolution conv -> {
        json.put("op", "convolution");
        json.put("in_channels", conv.inputs());
        json.put("out_channels", conv.outputs());
        write(json, conv.window());
        if (conv.groups() != 1) {
          json.put("groups", conv.groups());
        }
        if (conv.bias()) {
          json.put("bias", true);
        }
      }
      case Operator.BatchNorm norm -> {
        json.put("op", "batch_norm");
        json.put("channels", norm.channels());
        json.put("epsilon", norm.epsilon());
      }
      case Operator.Activation activation -> {
        json.put("op", "activation");
        ActivationFunction function = activation.function();
        json.put("function", name(function.kind()));
        if (function.ceiling() < Float.POSITIVE_INFINITY) {
          json.put("ceiling", function.ceiling());
        }
        if (function.slope() != 0) {
          json.put("slope", function.slope());
        }
      }
      case Operator.PRelu prelu -> {
        json.put("op", "prelu");
        json.put("channels", prelu.channels());
      }
      case Operator.Add _ -> {
        json.put("op", "add");
      }
      case Operator.Mul _ -> {
        json.put("op", "mul");
      }
      case Operator.Concat _ -> {
        json.put("op", "concat");
      }
      case Operator.Pool pool -> {
        json.put("op", "pool");
        json.put("kind", name(pool.kind()));
        write(json, pool.window());
      }
      case Operator.GlobalAveragePool _ -> {
        json.put("op", "global_average_pool");
      }
      case Operator.Linear linear -> {
        json.put("op", "linear");
        json.put("in_features", linear.inputs());
        json.put("out_features", linear.outputs());
        if (!linear.bias()) {
          json.put("bias", false);
        }
      }
      case Operator.Flatten _ -> {
        json.put("op", "flatten");
      }
      case Operator.ChannelPad pad -> {
        json.put("op", "channel_pad");
        json.put("stride", pad.stride());
        json.put("channels", pad.channels());
      }
      case Operator.ChannelShuffle shuffle -> {
        json.put("op", "channel_shuffle");
        json.put("groups", shuffle.groups());
      }
      case Operator.Slice slice -> {
        json.put("op", "slice");
        json.put("begin", slice.begin());
        json.put("end", slice.end());
      }
    }
  }

  private static void write(Map<String, Object> json, Window window) {
    Window.Padding padding = window.padding();
    write(json, "kernel", 0, window.kernel().height(), window.kernel().width());
    write(json, "stride", 1, window.strides().height(), window.strides().width());
    write(json, "padding", 0, padding.top(), padding.left(), padding.bottom(), padding.right());
    write(json, "dilation", 1, window.dilations().height(), window.dilations().width());
  }

  /** One number where all are the same, and nothing where that is the usual one. */
  private static void write(Map<String, Object> json, String field, int usual, int... values) {
    if (Arrays.stream(values).anyMatch(value -> value != values[0])) {
      json.put(field, Arrays.stream(values).boxed().toList());
    } else if (values[0] != usual) {
      json.put(field, values[0]);
    }
  }
}
