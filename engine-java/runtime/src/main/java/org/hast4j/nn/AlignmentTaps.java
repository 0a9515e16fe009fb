package org.hast4j.nn;

import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.hast4j.model.Layer;
import org.hast4j.model.Model;
import org.hast4j.model.Operator;

/**
 * Where the features of student and teacher are aligned, which follows from the structure alone:
 * the BatchNorm that ends the body of each residual unit, the body being the branch with more
 * convolutions; and the BatchNorm that ends each depthwise-separable part, that of the 1x1
 * convolution which reads a depthwise one's result.
 */
public final class AlignmentTaps {
  private AlignmentTaps() {}

  /** Names of the BatchNorms, in order of the layers; empty where the structure has none. */
  public static List<String> of(Model model) {
    // Convolutions on the longest way from the image, which is at 0, to each layer and through it.
    Map<String, Integer> depth = new HashMap<>(Map.of(model.input().name(), 0));
    Set<String> taps = new LinkedHashSet<>();
    for (Layer layer : model.layers()) {
      String deepest =
          layer.inputs().stream().max(Comparator.comparingInt(depth::get)).orElseThrow();
      int own = layer.op() instanceof Operator.Convolution ? 1 : 0;
      depth.put(layer.name(), depth.get(deepest) + own);
      if (layer.op() instanceof Operator.Add && is(model, deepest, Operator.BatchNorm.class)) {
        taps.add(deepest);
      }
      if (layer.op() instanceof Operator.BatchNorm && endsSeparable(model, layer)) {
        taps.add(layer.name());
      }
    }
    return model.names(Operator.BatchNorm.class).stream().filter(taps::contains).toList();
  }

  private static boolean endsSeparable(Model model, Layer norm) {
    Layer read = model.layer(norm.input()).orElse(null);
    if (read == null
        || !(read.op() instanceof Operator.Convolution conv)
        || conv.isDepthwise()
        || conv.window().kernel().height() != 1
        || conv.window().kernel().width() != 1) {
      return false;
    }
    String source = read.input();
    while (model.op(source).filter(Operator::isActivation).isPresent()
        || is(model, source, Operator.BatchNorm.class)) {
      source = model.layer(source).orElseThrow().input();
    }
    return model
        .op(source)
        .filter(op -> op instanceof Operator.Convolution first && first.isDepthwise())
        .isPresent();
  }

  private static boolean is(Model model, String layer, Class<? extends Operator> kind) {
    return model.op(layer).filter(kind::isInstance).isPresent();
  }
}
