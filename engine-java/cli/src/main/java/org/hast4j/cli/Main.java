package org.hast4j.cli;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.hast4j.failure.Mendable;
import org.hast4j.hast.StoppedException;
import picocli.CommandLine;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.PicocliException;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/** The command line {@code hast}. */
public final class Main {
  private static final int FAILED = 1;
  private static final int MISUSED = 2;

  private Main() {}

  /** Runs one command and exits: 0 done, 1 failed, 2 misused. */
  public static void main(String[] arguments) {
    // Numbers look the same everywhere, also to the programs that read them.
    Locale.setDefault(Locale.ROOT);
    System.exit(run(arguments));
  }

  private static int run(String[] arguments) {
    HastCommand root = new HastCommand();
    CommandLine commands =
        new CommandLine(root)
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setUsageHelpWidth(100)
            .registerConverter(Path.class, Main::path)
            .registerConverter(int.class, text -> whole(text, Integer::valueOf))
            .registerConverter(long.class, text -> whole(text, Long::valueOf))
            .registerConverter(Long.class, text -> whole(text, Long::valueOf))
            .registerConverter(float.class, text -> number(text, Float::valueOf))
            .registerConverter(double.class, text -> number(text, Double::valueOf))
            .setParameterExceptionHandler(Main::misused)
            .setExecutionExceptionHandler(
                (failure, _, parsed) -> failed(failure, root.stacktrace(), parsed, arguments));
    try {
      int code = commands.execute(arguments);
      if (code == 0 && System.out.checkError()) {
        System.err.println(
            "hast: the result could not be written: standard output is closed or full");
        return FAILED;
      }
      return code;
    } catch (Error e) {
      return failed(e, root.stacktrace(), commands.getParseResult(), arguments);
    }
  }

  private static Path path(String text) {
    if (text.isEmpty()) {
      throw new TypeConversionException("it is empty");
    }
    try {
      return Path.of(text);
    } catch (InvalidPathException e) {
      throw new TypeConversionException(
          "'%s' cannot be written in this locale's characters (%s): set LC_ALL=C.UTF-8"
              .formatted(text, System.getProperty("sun.jnu.encoding")));
    }
  }

  private static <N> N whole(String text, Function<String, N> parse) {
    return parsed(text, parse, "a whole number, or is too large");
  }

  private static <N> N number(String text, Function<String, N> parse) {
    return parsed(text, parse, "a number");
  }

  private static <N> N parsed(String text, Function<String, N> parse, String what) {
    try {
      return parse.apply(text);
    } catch (NumberFormatException e) {
      throw new TypeConversionException("'%s' is not %s".formatted(text, what));
    }
  }

  /** A message may quote a hostile file: nothing in it may steer the terminal. */
  private static String printable(String message) {
    return message.replaceAll("[\\p{Cc}&&[^\n\t]]", "?");
  }

  private static int misused(ParameterException misuse, String[] arguments) {
    Throwable cause = misuse.getCause();
    if (cause != null && !(cause instanceof PicocliException) && !Mendable.is(cause)) {
      // What goes wrong in a converter of ours comes as the user's mistake, too.
      return failed(cause, false, null, arguments);
    }
    CommandLine command = misuse.getCommandLine();
    System.err.println("hast: " + printable(misuse.getMessage()));
    if (!UnmatchedArgumentException.printSuggestions(misuse, command.getErr())) {
      System.err.println("Try: " + command.getCommandSpec().qualifiedName() + " --help");
    }
    return MISUSED;
  }

  private static int failed(
      Throwable failure, boolean stacktrace, ParseResult parsed, String[] arguments) {
    if (failure instanceof StoppedException) {
      // Whoever asked for it has been told, and the signal decides the exit code.
      return FAILED;
    }
    boolean resumable =
        parsed != null
            && parsed.asCommandLineList().getLast().getCommandSpec().findOption("--resume") != null;
    System.err.print(printable(Failure.text(failure, stacktrace, List.of(arguments), resumable)));
    return FAILED;
  }
}
