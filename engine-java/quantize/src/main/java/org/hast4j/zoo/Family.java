package org.hast4j.zoo;

import java.util.List;
import java.util.Locale;
import java.util.function.BiFunction;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Model;

/**
 * The families of networks whose structure can be built from the names and shapes of a state dict.
 * In the order in which they are tried: names of one must not fit a later one that is meant.
 */
enum Family {
  PRE_ACTIVATION_RESNET("a pre-activation ResNet", PreActivationResNets::model),
  RESNET("a ResNet", ResNets::model),
  VGG("a VGG", Vggs::model),
  DENSENET("a DenseNet", DenseNets::model),
  MINIFASNET("a MiniFASNet", MiniFasNets::model),
  MOBILENETV1("a MobileNetV1", MobileNetV1::model),
  MOBILENETV2("a MobileNetV2", MobileNetV2::model),
  MOBILENETV3("a MobileNetV3", MobileNetV3s::model),
  MNASNET("an MNASNet", MnasNets::model),
  EFFICIENTNET("an EfficientNet", EfficientNets::model),
  REGNET("a RegNet", RegNets::model),
  SHUFFLENETV2("a ShuffleNetV2", ShuffleNets::model),
  GOOGLENET("a GoogLeNet", GoogLeNets::model);

  private final String text;
  private final BiFunction<State, Assumptions, Model> builder;

  Family(String text, BiFunction<State, Assumptions, Model> builder) {
    this.text = text;
    this.builder = builder;
  }

  /** The ways in which its state dicts are named. */
  List<NameTable> tables() {
    return NameTable.of(name().toLowerCase(Locale.ROOT).replace('_', '-'));
  }

  /**
   * The structure of a state, named as the family's builder knows it.
   *
   * @throws RefusedException if tensors are missing or do not fit together
   */
  Model model(State state, Assumptions assumed) {
    try {
      return builder.apply(state, assumed);
    } catch (RefusedException e) {
      throw new RefusedException("read as %s: %s".formatted(text, e.getMessage()), e);
    }
  }

  @Override
  public String toString() {
    return text;
  }
}
