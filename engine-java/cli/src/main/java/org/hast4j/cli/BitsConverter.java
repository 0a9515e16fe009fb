package org.hast4j.cli;

import org.hast4j.failure.RefusedException;
import org.hast4j.model.Bits;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Parses what stands after {@code --bits}. */
final class BitsConverter implements ITypeConverter<Bits> {
  @Override
  public Bits convert(String text) {
    try {
      return Bits.parse(text);
    } catch (RefusedException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }
}
