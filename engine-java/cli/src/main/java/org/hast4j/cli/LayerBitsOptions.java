package org.hast4j.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Bits;
import org.hast4j.model.Model;
import org.hast4j.model.QuantizationPoints;
import org.hast4j.model.Scheme;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Bits of single layers. */
final class LayerBitsOptions {
  @Option(
      names = "--layer-bits",
      split = ",",
      paramLabel = "LAYER=W8A8",
      hideParamSyntax = true,
      converter = {Name.class, BitsConverter.class},
      description =
          "Bits of single layers, separated by commas: LAYER is a layer's name, or first or last"
              + " for the first and the last with weights. A layer's activations are what it reads,"
              + " where that is quantised.")
  private Map<String, Bits> layers = new LinkedHashMap<>();

  @Option(
      names = "--points",
      paramLabel = "POINTS",
      defaultValue = "paper",
      converter = Points.class,
      description =
          "Where activations are quantised: paper, behind activation functions, or inputs, in front"
              + " of every convolution and linear layer, the image at 8 bits; ${DEFAULT-VALUE} by"
              + " default.")
  private QuantizationPoints points;

  /** Where activations are quantised. */
  static final class Points implements ITypeConverter<QuantizationPoints> {
    @Override
    public QuantizationPoints convert(String text) {
      try {
        return QuantizationPoints.parse(text);
      } catch (RefusedException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  /** A layer's name as it stands. */
  static final class Name implements ITypeConverter<String> {
    @Override
    public String convert(String text) {
      return text;
    }
  }

  Scheme scheme(Model model, Bits bits) {
    return Scheme.of(model, bits, layers).at(points);
  }
}
