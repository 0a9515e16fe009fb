package org.hast4j.zoo;

import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.hast4j.io.Safetensors;
import org.hast4j.model.Model;

/** MobileNetV1 as pytorchcv names it, and this engine too. */
record MobileNetV1Names() implements StateNames {
  private static final String CLASSIFIER = "output.weight";

  static boolean match(Set<String> names) {
    return names.stream()
        .anyMatch(name -> name.startsWith("features.") && name.contains(".dw_conv."));
  }

  @Override
  public String inFile(String name) {
    return name;
  }

  @Override
  public Model model(Map<String, Safetensors.Tensor> tensors, OptionalInt size) {
    need("MobileNetV1", tensors, CLASSIFIER);
    return MobileNetV1.of(
        MobileNetV1.width(channels(tensors, CLASSIFIER, 1)),
        channels(tensors, CLASSIFIER, 0),
        size.orElse(Topologies.IMAGE_NET_SIZE));
  }
}
