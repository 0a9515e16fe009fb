package org.hast4j.cli;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.hast4j.kernel.Backend;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/**
 * A device as users name it: {@code cpu}, {@code cuda:0}; {@code cuda} is the first.
 *
 * @param ordinal its number among those of the backend, from 0
 */
record DeviceName(Backend backend, int ordinal) {
  private static final Pattern TEXT = Pattern.compile("(?i)(cpu)|cuda(?::(\\d{1,4}))?");

  @Override
  public String toString() {
    return switch (backend) {
      case CPU -> "cpu";
      case CUDA -> "cuda:" + ordinal;
    };
  }

  /** Parses what stands after {@code --device}. */
  static final class Converter implements ITypeConverter<DeviceName> {
    @Override
    public DeviceName convert(String text) {
      Matcher matcher = TEXT.matcher(text);
      if (!matcher.matches()) {
        throw new TypeConversionException(
            "expected cpu, cuda, or cuda:N for one of several GPUs, got '" + text + "'");
      }
      if (matcher.group(1) != null) {
        return new DeviceName(Backend.CPU, 0);
      }
      String number = matcher.group(2);
      return new DeviceName(Backend.CUDA, number == null ? 0 : Integer.parseInt(number));
    }
  }
}
