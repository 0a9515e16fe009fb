package org.hast4j.cli;

import java.util.Map;
import java.util.Optional;
import org.hast4j.failure.RefusedException;
import org.hast4j.model.Normalization;
import org.hast4j.model.Resize;
import org.hast4j.zoo.Given;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** How a picture becomes a network's input, where its file does not say it. */
final class PreprocessingOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--mean",
      split = ",",
      paramLabel = "R,G,B",
      hideParamSyntax = true,
      description =
          "Mean of the network's input per channel, in units of v/255; the file's by default.")
  private float[] mean;

  @Option(
      names = "--std",
      split = ",",
      paramLabel = "R,G,B",
      hideParamSyntax = true,
      description = "Its standard deviation.")
  private float[] std;

  @Option(
      names = "--resize",
      paramLabel = "PIXELS",
      converter = ExtentConverter.class,
      description =
          "Scales pictures until their shorter side has so many pixels, before their middle is cut"
              + " out; squash scales them to the network's size. The file's by default, or 8/7 of"
              + " the network's size (256 for 224), or that size up to 64 pixels.")
  private Resize.Extent extent;

  @Option(
      names = "--interpolation",
      paramLabel = "FILTER",
      description = "Scales pictures bilinear or bicubic, as PIL does; bilinear by default.")
  private Resize.Interpolation interpolation;

  /** Reads a number of pixels, or a word. */
  static final class ExtentConverter implements ITypeConverter<Resize.Extent> {
    @Override
    public Resize.Extent convert(String text) {
      try {
        return Resize.Extent.parse(text);
      } catch (RefusedException e) {
        throw new TypeConversionException(e.getMessage());
      }
    }
  }

  /** How pictures get the network's size, as far as it is given. */
  Resize resize() {
    return new Resize(Optional.ofNullable(extent), Optional.ofNullable(interpolation));
  }

  /** Both. */
  Given given() {
    return new Given(Optional.empty(), normalization(), resize(), Map.of(), false);
  }

  /** The normalization, if it is given. */
  Optional<Normalization> normalization() {
    if (mean == null && std == null) {
      return Optional.empty();
    }
    if (mean == null || std == null) {
      throw new ParameterException(spec.commandLine(), "--mean and --std go together");
    }
    try {
      return Optional.of(new Normalization(mean, std));
    } catch (RefusedException e) {
      throw new ParameterException(spec.commandLine(), "--mean, --std: " + e.getMessage(), e);
    }
  }
}
