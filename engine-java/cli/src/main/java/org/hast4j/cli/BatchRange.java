package org.hast4j.cli;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * Batches of synthesis.
 *
 * @param first number of the first, counted from 0
 */
record BatchRange(int first, int count) {
  private static final Pattern TEXT = Pattern.compile("(\\d{1,6})(?:-(\\d{1,6}))?");

  /** Reads "3-5" or "3". */
  static final class Converter implements ITypeConverter<BatchRange> {
    @Override
    public BatchRange convert(String text) {
      Matcher matcher = TEXT.matcher(text);
      if (!matcher.matches()) {
        throw new TypeConversionException("'" + text + "' is no range of batches such as 3-5");
      }
      int first = Integer.parseInt(matcher.group(1));
      int last = matcher.group(2) == null ? first : Integer.parseInt(matcher.group(2));
      if (last < first) {
        throw new TypeConversionException("batch %d does not come after %d".formatted(last, first));
      }
      return new BatchRange(first, last - first + 1);
    }
  }
}
