package org.hast4j.cli;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Bits of weights and activations, written W4A4. */
record BitWidths(int weights, int activations) {
  private static final Pattern TEXT = Pattern.compile("[Ww]([2-8])[Aa]([2-8])");

  @Override
  public String toString() {
    return "W" + weights + "A" + activations;
  }

  /** Parses what stands after {@code --bits}. */
  static final class Converter implements ITypeConverter<BitWidths> {
    @Override
    public BitWidths convert(String text) {
      Matcher matcher = TEXT.matcher(text);
      if (!matcher.matches()) {
        throw new TypeConversionException(
            "write W<bits of weights>A<bits of activations>, each 2 to 8, such as W4A4; got '"
                + text
                + "'");
      }
      return new BitWidths(Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
    }
  }
}
